//! COQL, over real records.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Org};

async fn query(org: &Org, text: &str) -> Answer {
    org.post("/crm/v8/coql", &json!({"select_query": text}))
        .await
}

/// Two accounts, of which the first has a parent, with three deals.
async fn harbour() -> Org {
    let org = Org::start().await;
    let snapshot = json!({
        "Accounts": [
            {"id": "4876876000000000001", "Account_Name": "Reed Ltd", "Industry": "Retail", "Phone": "1"},
            {"id": "4876876000000000002", "Account_Name": "Marsh & Sons", "Industry": "Other",
             "Parent_Account": {"id": "4876876000000000001", "name": "Reed Ltd"}},
        ],
        "Deals": [
            {"id": "4876876000000000011", "Deal_Name": "Pier", "Stage": "Qualification", "Amount": 100,
             "Closing_Date": "2026-01-10", "Account_Name": {"id": "4876876000000000001"},
             "Created_Time": "2026-01-01T00:00:00+00:00", "Modified_Time": "2026-01-01T00:00:00+00:00"},
            {"id": "4876876000000000012", "Deal_Name": "Quay", "Stage": "Closed Won", "Amount": 250.5,
             "Closing_Date": "2026-02-10", "Account_Name": {"id": "4876876000000000002"},
             "Created_Time": "2026-02-01T00:00:00+00:00", "Modified_Time": "2026-02-01T00:00:00+00:00"},
            {"id": "4876876000000000013", "Deal_Name": "O'Hara's dock", "Stage": "Qualification",
             "Created_Time": "2026-03-01T00:00:00+00:00", "Modified_Time": "2026-03-01T00:00:00+00:00"},
        ],
    });
    assert_eq!(org.sim.load(&snapshot).unwrap(), 5);
    org
}

/// The names of the deals that a condition holds for.
async fn deals(org: &Org, condition: &str) -> Vec<String> {
    let text = format!("select Deal_Name from Deals where {condition} order by id");
    let answer = query(org, &text).await;
    if answer.status == StatusCode::NO_CONTENT {
        return vec![];
    }
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "{condition}: {}",
        answer.body
    );
    let rows = answer.body["data"].as_array().unwrap().clone();
    let name = |row: &Value| row["Deal_Name"].as_str().unwrap().chars().take(1).collect();
    rows.iter().map(name).collect()
}

#[tokio::test]
async fn a_query_selects_over_lookups() {
    let org = harbour().await;
    let answer = query(
        &org,
        "select Deal_Name as name, Amount, Account_Name, Account_Name.Account_Name, \
         Account_Name.Parent_Account.Phone, Owner.last_name \
         from Deals where Amount > 0 order by Amount desc",
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.body,
        json!({
            "data": [
                {
                    "name": "Quay", "Amount": 250.5, "id": "4876876000000000012",
                    "Account_Name": {"name": "Marsh & Sons", "id": "4876876000000000002"},
                    "Account_Name.Account_Name": "Marsh & Sons",
                    "Account_Name.Parent_Account.Phone": "1", "Owner.last_name": "Doe",
                },
                {
                    "name": "Pier", "Amount": 100, "id": "4876876000000000011",
                    "Account_Name": {"name": "Reed Ltd", "id": "4876876000000000001"},
                    "Account_Name.Account_Name": "Reed Ltd",
                    "Account_Name.Parent_Account.Phone": null, "Owner.last_name": "Doe",
                },
            ],
            "info": {"count": 2, "more_records": false},
        })
    );
}

#[tokio::test]
async fn every_operator_holds_for_what_it_should() {
    let org = harbour().await;
    for (condition, expected) in [
        ("Deal_Name = 'PIER'", "P"),
        ("Deal_Name != 'Pier'", "QO"),
        ("Deal_Name = 'O''Hara''s dock'", "O"),
        ("Deal_Name like 'P%'", "P"),
        ("Deal_Name like '%a%'", "QO"),
        ("Deal_Name not like '%a%'", "P"),
        ("Deal_Name in ('Pier', 'Quay')", "PQ"),
        ("Deal_Name not in ('Pier', 'Quay')", "O"),
        ("Amount = 100", "P"),
        ("Amount < 250.5", "P"),
        ("Amount <= 250.5", "PQ"),
        ("Amount > 100", "Q"),
        ("Amount >= 100", "PQ"),
        ("Amount between 99 and 101", "P"),
        ("Amount not between 99 and 101", "Q"),
        ("Amount is null", "O"),
        ("Amount is not null", "PQ"),
        ("Amount != 100", "Q"),
        ("Closing_Date > '2026-01-31'", "Q"),
        ("Closing_Date between '2026-01-01' and '2026-12-31'", "PQ"),
        ("Modified_Time >= '2026-02-01T05:30:00+05:30'", "QO"),
        ("Modified_Time > '2026-02-01T05:30:00+05:30'", "O"),
        ("Created_Time = '2026-01-01T01:00:00+01:00'", "P"),
        ("id >= '4876876000000000012'", "QO"),
        ("id in (4876876000000000011)", "P"),
        ("Account_Name = '4876876000000000001'", "P"),
        ("Account_Name is null", "O"),
        ("Account_Name.Industry = 'Other'", "Q"),
        ("Account_Name.Account_Name is null", "O"),
        ("Stage = 'Qualification' and Amount is null", "O"),
        ("Stage = 'Closed Won' or Amount is null", "QO"),
        (
            "((Stage = 'Closed Won' or Amount is null) and Deal_Name like 'Q%')",
            "Q",
        ),
        (
            "(((Amount > 1 and Amount < 500) and Stage = 'Closed Won') or Deal_Name = 'Pier')",
            "PQ",
        ),
        ("Locked__s = false", "PQO"),
        ("Deal_Name = 'nothing'", ""),
    ] {
        let found = deals(&org, condition).await.concat();
        assert_eq!(found, expected, "{condition}");
    }
}

#[tokio::test]
async fn groups_have_aggregates() {
    let org = harbour().await;
    let answer = query(
        &org,
        "select Stage, COUNT(id) as deals, sum(Amount), AVG(Amount), MIN(Closing_Date), MAX(Amount) \
         from Deals where id is not null group by Stage order by deals desc",
    )
    .await;
    assert_eq!(
        answer.body["data"],
        json!([
            {"Stage": "Qualification", "deals": 2, "SUM(Amount)": 100, "AVG(Amount)": 100,
             "MIN(Closing_Date)": "2026-01-10", "MAX(Amount)": 100},
            {"Stage": "Closed Won", "deals": 1, "SUM(Amount)": 250.5, "AVG(Amount)": 250.5,
             "MIN(Closing_Date)": "2026-02-10", "MAX(Amount)": 250.5},
        ])
    );
    let all = query(&org, "select COUNT(*) from Deals where Amount > 9999").await;
    assert_eq!(all.body["data"], json!([{"COUNT(*)": 0}]));
    let by_lookup = query(
        &org,
        "select Account_Name.Industry, COUNT(id) from Deals where Amount > 0 group by Account_Name.Industry",
    )
    .await;
    assert_eq!(
        by_lookup.body["data"],
        json!([{"Account_Name.Industry": "Retail", "COUNT(id)": 1},
               {"Account_Name.Industry": "Other", "COUNT(id)": 1}])
    );
}

#[tokio::test]
async fn limits_and_offsets_page_through_all_rows() {
    let org = Org::start().await;
    org.sim.generate("Contacts", 4_500).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for order in ["id", "Modified_Time desc", "Last_Name, id desc"] {
        seen.clear();
        for offset in [0, 2_000, 4_000] {
            let text = format!(
                "select Last_Name from Contacts where id is not null order by {order} limit {offset}, 2000"
            );
            let answer = query(&org, &text).await;
            let more = answer.body["info"]["more_records"].as_bool().unwrap();
            assert_eq!(more, offset < 4_000, "{order} {offset}");
            seen.extend(crate::support::ids(&answer.body));
        }
        assert_eq!(seen.len(), 4_500, "{order}");
    }
    let few = query(&org, "select id from Contacts where id is not null").await;
    assert_eq!(
        few.body["info"],
        json!({"count": 200, "more_records": true})
    );
    let last = query(
        &org,
        "select id from Contacts where id is not null limit 100 offset 4450",
    )
    .await;
    assert_eq!(
        last.body["info"],
        json!({"count": 50, "more_records": false})
    );
    let beyond = query(
        &org,
        "select id from Contacts where id is not null limit 2000 offset 99999",
    )
    .await;
    assert_eq!(beyond.body["code"], "LIMIT_EXCEEDED");
}

#[tokio::test]
async fn the_last_id_seen_is_a_cursor() {
    let org = Org::start().await;
    org.sim.generate("Leads", 50_000).unwrap();
    let (mut last, mut count) = ("0".to_owned(), 0);
    loop {
        let text = format!("select id from Leads where id > '{last}' order by id asc limit 2000");
        let answer = query(&org, &text).await;
        let ids = crate::support::ids(&answer.body);
        count += ids.len();
        last.clone_from(ids.last().unwrap());
        if answer.body["info"]["more_records"] == false {
            break;
        }
    }
    assert_eq!(count, 50_000);
}

#[tokio::test]
async fn what_changed_since_is_found_among_many() {
    let org = Org::start().await;
    org.sim.generate("Leads", 6_000).unwrap();
    let old = json!({"Leads": [
        {"id": "4876876000000000021", "Last_Name": "B", "Modified_Time": "2020-02-01T00:00:00Z", "Created_Time": "2019-01-01T00:00:00Z"},
        {"id": "4876876000000000020", "Last_Name": "A", "Modified_Time": "2020-03-01T00:00:00Z", "Created_Time": "2019-01-01T00:00:00Z"},
    ]});
    org.sim.load(&old).unwrap();
    let names = async |condition: &str| {
        let answer = query(
            &org,
            &format!("select Last_Name from Leads where {condition}"),
        )
        .await;
        let rows = answer.body["data"].as_array().cloned().unwrap_or_default();
        rows.iter()
            .map(|it| it["Last_Name"].as_str().unwrap().to_owned())
            .collect::<String>()
    };
    for (condition, expected) in [
        ("Modified_Time < '2020-12-31T00:00:00Z'", "AB"),
        (
            "Modified_Time < '2020-12-31T00:00:00Z' order by Last_Name desc",
            "BA",
        ),
        ("Modified_Time <= '2020-02-01T00:00:00Z'", "B"),
        ("Modified_Time < '2020-02-01T00:00:00Z'", ""),
        (
            "Modified_Time between '2020-02-01T00:00:00Z' and '2020-03-01T00:00:00Z'",
            "AB",
        ),
        (
            "(Modified_Time > '2020-02-01T00:00:00Z' and Modified_Time < '2021-01-01T00:00:00Z')",
            "A",
        ),
        ("Created_Time = '2019-01-01T00:00:00Z'", "AB"),
        (
            "id in ('4876876000000000021', '4876876000000000020', '7')",
            "AB",
        ),
        ("(id = '4876876000000000021' and Last_Name = 'A')", ""),
    ] {
        assert_eq!(names(condition).await, expected, "{condition}");
    }
}

#[tokio::test]
async fn meta_describes_the_columns() {
    let org = harbour().await;
    let answer = org
        .post(
            "/crm/v8/coql",
            &json!({"select_query": "select Amount from Deals where Amount > 100", "include_meta": ["fields"]}),
        )
        .await;
    assert_eq!(answer.body["fields"]["Amount"]["data_type"], "currency");
    assert_eq!(answer.body["data"][0]["Amount"], 250.5);
    let wrong = org
        .post(
            "/crm/v8/coql",
            &json!({"select_query": "select Amount from Deals where Amount > 100", "include_meta": "fields"}),
        )
        .await;
    assert_eq!(
        wrong.body,
        json!({"code": "INVALID_DATA", "message": "invalid data", "status": "error",
               "details": {"expected_data_type": "jsonarray", "api_name": "include_meta", "json_path": "$.include_meta"}})
    );
}

async fn refused(cases: &[(&str, &str, Value)]) {
    let org = harbour().await;
    for (text, code, details) in cases {
        let answer = query(&org, text).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{text}");
        assert_eq!(&answer.body["code"], code, "{text}: {}", answer.body);
        assert_eq!(&answer.body["details"], details, "{text}");
        assert_eq!(answer.body["status"], "error");
    }
}

#[tokio::test]
async fn what_is_not_coql_is_a_syntax_error() {
    refused(&[
        (
            "select Deal_Name from Deals",
            "SYNTAX_ERROR",
            json!({"clause": "where"}),
        ),
        ("select", "SYNTAX_ERROR", json!({"near": "select"})),
        (
            "selct a from Deals where a = 1",
            "SYNTAX_ERROR",
            json!({"line": 1, "column": 1, "near": "selct"}),
        ),
        (
            "select from Deals where Amount = 1",
            "SYNTAX_ERROR",
            json!({"line": 1, "column": 8, "near": "from"}),
        ),
        (
            "select id from Deals where not Amount = 1",
            "SYNTAX_ERROR",
            json!({"operator": "not"}),
        ),
        (
            "select id from Deals where Deal_Name equals 'x'",
            "SYNTAX_ERROR",
            json!({"operator": "equals"}),
        ),
        (
            "select id from Deals where Amount > 1 and Amount < 9 and Stage = 'x'",
            "SYNTAX_ERROR",
            json!({"near": "and"}),
        ),
        (
            "select Stage, SUM(Amount) from Deals where Amount = 1 group by Stage having SUM(Amount) > 1",
            "SYNTAX_ERROR",
            json!({"line": 1, "column": 70, "near": "having"}),
        ),
    ])
    .await;
}

#[tokio::test]
async fn names_must_be_known_and_not_repeated() {
    refused(&[
        (
            "select Last_Nam from Deals where Amount = 1",
            "INVALID_QUERY",
            json!({"column_name": "Last_Nam", "clause": "select"}),
        ),
        (
            "select id from Deals where Deal_Name > 'a'",
            "INVALID_QUERY",
            json!({"reason": "invalid operator found", "column_name": "Deal_Name", "operator": ">"}),
        ),
        (
            "select id from Deals where Amount = 'ten'",
            "INVALID_QUERY",
            json!({"reason": "invalid value found", "column_name": "Amount", "operator": "="}),
        ),
        (
            "select id from Boats where id is not null",
            "INVALID_MODULE",
            json!({"module": "Boats"}),
        ),
        (
            "select Amount, Amount from Deals where Amount = 1",
            "DUPLICATE_DATA",
            json!({"column_name": "Amount"}),
        ),
        (
            "select MAX(Amount), MAX(Amount) from Deals where Amount = 1",
            "DUPLICATE_DATA",
            json!({"column_name": "Amount", "aggregate": "MAX"}),
        ),
        (
            "select Deal_Name as x, Stage as x from Deals where Amount = 1",
            "DUPLICATE_ALIAS",
            json!({"alias": "x", "referred_columns": ["Deal_Name", "Stage"]}),
        ),
        (
            "select Deal_Name as '' from Deals where Amount = 1",
            "INVALID_ALIAS",
            json!({"column_name": "Deal_Name", "alias": ""}),
        ),
        (
            "select Deal_Name as Stage, Stage from Deals where Amount = 1",
            "INVALID_QUERY",
            json!({"column_name": "Deal_Name", "alias": "Stage"}),
        ),
    ])
    .await;
}

#[tokio::test]
async fn limits_are_told() {
    let values = format!(
        "select id from Deals where Amount in ({})",
        vec!["1"; 101].join(", ")
    );
    refused(&[
        (
            "select MEDIAN(Amount) from Deals where Amount = 1",
            "INVALID_DATA",
            json!({"reason": "unsupported aggregate function", "column": "MEDIAN(Amount)"}),
        ),
        (
            "select id from Deals where Amount = 1 limit 0",
            "INVALID_DATA",
            json!({}),
        ),
        (
            "select id from Deals where Amount = 1 limit s",
            "INVALID_QUERY",
            json!({"limit": "s"}),
        ),
        (
            "select id from Deals where Amount = 1 limit 2001",
            "LIMIT_EXCEEDED",
            json!({"clause": "limit", "limit": 2000}),
        ),
        (
            values.as_str(),
            "LIMIT_EXCEEDED",
            json!({"clause": "values", "limit": 100}),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_query_must_be_there() {
    let org = Org::start().await;
    let none = org.post("/crm/v8/coql", &json!({"query": "select"})).await;
    assert_eq!(
        none.body,
        json!({"code": "MANDATORY_NOT_FOUND", "details": {"api_name": "select_query"},
               "message": "mandatory key not found", "status": "error"})
    );
}

#[tokio::test]
async fn a_custom_view_may_stand_for_its_module() {
    let org = harbour().await;
    let views = org.get("/crm/v8/settings/custom_views?module=Deals").await;
    let view = |at: usize| {
        views.body["custom_views"][at]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let all = query(
        &org,
        &format!("select id from {} where id is not null", view(0)),
    )
    .await;
    assert_eq!(all.body["info"]["count"], 3);
    let mine = query(
        &org,
        &format!("select id from {} where id is not null", view(1)),
    )
    .await;
    assert_eq!(mine.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_query_costs_by_its_limit() {
    let org = harbour().await;
    let mut used = org.sim.counters().credits_used;
    for (limit, cost) in [
        ("", 1),
        ("limit 200", 1),
        ("limit 201", 2),
        ("limit 1000", 2),
        ("limit 2000", 3),
    ] {
        query(
            &org,
            &format!("select id from Deals where id is not null {limit}"),
        )
        .await;
        let now = org.sim.counters().credits_used;
        assert_eq!(now - used, cost, "{limit}");
        used = now;
    }
    assert_eq!(org.sim.counters().sub_concurrent_max, 1);
    assert_eq!(org.sim.counters().calls(zoho_sim::Kind::Coql), 5);
}
