//! COQL: queries, built ones, and streams of all rows.

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};
use zoho_crm::{
    Client, Error,
    coql::{Column, Condition, Order, PAGE_MAX, ROWS_MAX, Select, field},
};
use zoho_sim::Sim;

use crate::support::{
    Zoho, error, granted, json as answer,
    literal::{answering, asked},
    sim::{client, simulator},
};

const LEAD: &str = r#"{"data":[{"Last_Name":"Doe","id":"4150868000000376008"}],"info":{"count":1,"more_records":true}}"#;

#[tokio::test]
async fn a_query_is_sent_and_read_as_the_contract_says() {
    let with_meta = LEAD.replace(
        r#""info""#,
        r#""fields":{"Last_Name":{"api_name":"Last_Name","data_type":"text"}},"info""#,
    );
    let zoho = answering(vec![
        answer(200, LEAD),
        answer(200, &with_meta),
        answer(200, LEAD),
        ResponseTemplate::new(204),
        error(400, "SYNTAX_ERROR"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let text = "select Last_Name from Leads where Last_Name = 'Doe' limit 1";
    let page = client.coql(text).await.unwrap();
    assert_eq!(page.items[0]["Last_Name"], "Doe");
    assert!(page.more);
    let rows = client.coql_with_meta(text).await.unwrap();
    assert_eq!(rows.page.items, page.items);
    assert_eq!(rows.meta.unwrap()["Last_Name"]["data_type"], "text");
    let select = Select::new("Leads", ["Last_Name"]).filter(
        field("Last_Name")
            .eq("O'Hara \\")
            .and(field("Phone").is_null()),
    );
    client.select(&select).await.unwrap();
    assert!(client.select(&select).await.unwrap().items.is_empty());
    let failed = client.coql("select").await.unwrap_err();
    assert!(
        matches!(&failed, Error::Invalid { code, .. } if code.as_str() == "SYNTAX_ERROR"),
        "{failed}"
    );
    let built = json!({"select_query": r"select Last_Name from Leads where (Last_Name = 'O''Hara \\' and Phone is null) limit 200 offset 0"});
    let expected = [
        json!({"select_query": text}),
        json!({"select_query": text, "include_meta": ["fields"]}),
        built.clone(),
        built,
        json!({"select_query": "select"}),
    ]
    .map(|body| ("POST".to_owned(), "/crm/v8/coql".to_owned(), body));
    assert_eq!(asked(&zoho).await, expected);
    let broken = client.select(&select.limit(2001)).await.unwrap_err();
    assert_eq!(broken.class(), "misuse");
    assert_eq!(zoho.calls(), 5, "what breaks a limit is not sent");
}

/// Answers each query with as many rows as its limit allows, of `all` rows numbered from 1.
async fn rows(all: u64) -> Zoho {
    let respond = move |_: usize, request: &Request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let text = body.get("select_query").and_then(Value::as_str).unwrap();
        let number = |word: &str| -> Option<u64> {
            let rest = text.split_once(word)?.1;
            rest.trim_matches('\'')
                .split([' ', '\''])
                .next()?
                .parse()
                .ok()
        };
        let first = number("id > ").unwrap_or_default() + number("offset ").unwrap() + 1;
        let last = all.min(first + number("limit ").unwrap() - 1);
        let data: Vec<Value> = (first..=last)
            .map(|it| json!({"id": it.to_string()}))
            .collect();
        let info = json!({"count": data.len(), "more_records": last < all});
        answer(200, &json!({"data": data, "info": info}).to_string())
    };
    Zoho::start(|n, _| granted(n), respond).await
}

async fn count(client: &Client, select: Select) -> Result<u64, Error> {
    let stream = client.select_all(select);
    let (mut last, mut taken) = (0, 0);
    let mut rows = std::pin::pin!(stream);
    while let Some(row) = rows.try_next().await? {
        let id: u64 = row
            .get("id")
            .and_then(Value::as_str)
            .unwrap()
            .parse()
            .unwrap();
        assert!(id > last, "each row once, in order");
        (last, taken) = (id, taken + 1);
    }
    Ok(taken)
}

#[tokio::test]
async fn a_stream_goes_on_by_offset_and_past_that_by_id() {
    let all = ROWS_MAX + PAGE_MAX + 1;
    let zoho = rows(all).await;
    let (client, _hand) = zoho.client();
    let taken = count(&client, Select::new("Leads", ["id"])).await.unwrap();
    assert_eq!(taken, all);
    let asked = asked(&zoho).await;
    let text = |at: usize| asked[at].2["select_query"].as_str().unwrap();
    assert_eq!(
        text(1),
        "select id from Leads where id is not null order by id asc limit 2000 offset 2000"
    );
    assert_eq!(
        text(50),
        "select id from Leads where id > '100000' order by id asc limit 2000 offset 0"
    );
    assert_eq!(asked.len(), 52);
}

#[tokio::test]
async fn rows_out_of_reach_end_a_stream_with_an_error() {
    let zoho = rows(ROWS_MAX + 1).await;
    let (client, _hand) = zoho.client();
    let by_amount = Select::new("Deals", ["id"]).order_by("Amount", Order::Descending);
    let failed = count(&client, by_amount).await.unwrap_err();
    assert!(matches!(failed, Error::RestartPaging { .. }), "{failed}");
    let limited = Select::new("Deals", ["id"]).limit(2_500);
    assert_eq!(count(&client, limited).await.unwrap(), 2_500);
}

async fn harbour() -> (Sim, Client) {
    let sim = simulator().await;
    let reed = "4876876000000000001";
    let snapshot = json!({
        "Accounts": [{"id": reed, "Account_Name": "Reed Ltd", "Industry": "Retail"}],
        "Deals": [
            {"Deal_Name": "Pier", "Stage": "Qualification", "Amount": 100, "Closing_Date": "2026-01-10",
             "Account_Name": {"id": reed}, "Created_Time": "2026-01-01T00:00:00+00:00"},
            {"Deal_Name": "Quay", "Stage": "Closed Won", "Amount": 250.5, "Closing_Date": "2026-02-10",
             "Created_Time": "2026-02-01T00:00:00+00:00"},
            {"Deal_Name": "O'Hara's dock", "Stage": "Qualification", "Description": r"C:\docks\",
             "Created_Time": "2026-03-01T00:00:00+00:00"},
        ],
    });
    assert_eq!(sim.load(&snapshot).unwrap(), 4);
    let client = client(&sim);
    (sim, client)
}

#[tokio::test]
async fn conditions_hold_for_the_records_they_should_in_the_simulator() {
    let (_sim, client) = harbour().await;
    let amount = || field("Amount");
    let moment: jiff::Timestamp = "2026-02-01T00:00:00Z".parse().unwrap();
    let day: jiff::civil::Date = "2026-01-31".parse().unwrap();
    let cases: [(Condition, &str); 16] = [
        (field("Deal_Name").eq("O'Hara's dock"), "O"),
        (field("Deal_Name").eq("x' or Deal_Name != '"), ""),
        (field("Deal_Name").ne("Pier"), "QO"),
        (field("Deal_Name").like("%ua%"), "Q"),
        (field("Deal_Name").not_like("P%"), "QO"),
        (amount().gt(100), "Q"),
        (amount().ge(100), "PQ"),
        (amount().lt(250), "P"),
        (amount().le(100), "P"),
        (
            amount()
                .between(100, 200)
                .and(field("Stage").eq("Qualification")),
            "P",
        ),
        (amount().not_between(0, 200).or(amount().is_null()), "QO"),
        (amount().is_not_null(), "PQ"),
        (field("Stage").one_of(["Closed Won", "Closed Lost"]), "Q"),
        (field("Stage").none_of(["Closed Won"]), "PO"),
        (
            field("Created_Time")
                .ge(moment)
                .and(field("Closing_Date").gt(day)),
            "Q",
        ),
        (field("Account_Name.Industry").eq("Retail"), "P"),
    ];
    for (condition, expected) in cases {
        let select = Select::new("Deals", ["Deal_Name"])
            .filter(condition.clone())
            .order_by("Created_Time", Order::Ascending);
        let page = client.select(&select).await.unwrap();
        let initials: String = page
            .items
            .iter()
            .filter_map(|it| it["Deal_Name"].as_str()?.chars().next())
            .collect();
        assert_eq!(initials, expected, "{condition:?}");
    }
}

#[tokio::test]
async fn columns_aggregates_and_meta_come_from_the_simulator() {
    let (_sim, client) = harbour().await;
    let select = Select::new("Deals", ["Deal_Name", "Account_Name.Account_Name"])
        .column(Column::from("Amount").alias("Worth"))
        .order_by("Amount", Order::Descending)
        .limit(2)
        .offset(1);
    let page = client.select(&select).await.unwrap();
    assert_eq!(page.items[0]["Deal_Name"], "Pier");
    assert_eq!(page.items[0]["Account_Name.Account_Name"], "Reed Ltd");
    assert_eq!(page.items[0]["Worth"], 100);
    let grouped = Select::new("Deals", ["Stage"])
        .column(Column::count("id").alias("Deals"))
        .column(Column::sum("Amount").alias("Total"))
        .column(Column::max("Amount"))
        .group_by("Stage")
        .order_by("Stage", Order::Descending);
    let rows: Vec<_> = client.select_all(grouped).try_collect().await.unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["Stage"], &rows[0]["Deals"]),
        (&json!("Qualification"), &json!(2))
    );
    assert_eq!(rows[1]["Total"], 250.5);
    assert_eq!(rows[1]["MAX(Amount)"], 250.5);
    let rows = client
        .coql_with_meta("select Amount from Deals where Amount > 0")
        .await
        .unwrap();
    assert_eq!(rows.page.items.len(), 2);
    assert!(rows.meta.unwrap().get("Amount").is_some());
    let failed = client
        .coql("select Nothing from Deals where id is not null")
        .await;
    assert_eq!(failed.unwrap_err().class(), "invalid");
}

#[tokio::test]
async fn twenty_thousand_rows_are_streamed_from_the_simulator() {
    const RECORDS: u64 = 20_500;
    let sim = simulator().await;
    sim.generate("Leads", usize::try_from(RECORDS).unwrap())
        .unwrap();
    let client = client(&sim);
    let taken = count(&client, Select::new("Leads", ["id"])).await.unwrap();
    assert_eq!(taken, RECORDS);
    let seen = sim.counters();
    assert_eq!(seen.credits_used, 11 * 3, "three credits for 2000 rows");
    let few = client
        .select(&Select::new("Leads", ["id"]).limit(300))
        .await
        .unwrap();
    assert_eq!(few.items.len(), 300);
    assert_eq!(sim.counters().credits_used, seen.credits_used + 2);
}
