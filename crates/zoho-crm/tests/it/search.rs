//! Search: by criteria, email, phone and word.

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;
use zoho_crm::{
    Client, Error,
    coql::{Select, field},
    search::{By, Criteria, RESULTS_MAX, Search},
};
use zoho_sim::Sim;

use crate::support::{
    error, json as answer,
    literal::{answering, asked},
    sim::{client, simulator},
};

const LEAD: &str = r#"{"data":[{"Last_Name":"Doe","id":"4150868000000376008"}],"info":{"per_page":200,"count":1,"page":1,"more_records":false}}"#;

fn leads(by: By) -> Search {
    Search {
        module: "Leads".to_owned(),
        by,
        fields: vec!["Last_Name".to_owned()],
        converted: false,
    }
}

#[tokio::test]
async fn a_search_is_sent_and_read_as_the_contract_says() {
    let zoho = answering(vec![
        answer(200, LEAD),
        answer(200, LEAD),
        answer(200, LEAD),
        answer(200, LEAD),
        ResponseTemplate::new(204),
        error(400, "INVALID_QUERY"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let criteria = Criteria::equals("Company", r"Reed (Holding), Ltd\")
        .and(Criteria::one_of("Lead_Status", ["Contacted", "Lost Lead"]));
    let everything = Search {
        fields: vec![],
        converted: true,
        ..leads(By::Criteria(criteria))
    };
    let page = client.search(&everything, 1).await.unwrap();
    assert_eq!(page.items[0]["Last_Name"], "Doe");
    assert!(!page.more);
    for by in [
        By::Email("ann@reed.example".to_owned()),
        By::Phone("+1 555-0100".to_owned()),
        By::Word("Reed & Co".to_owned()),
    ] {
        assert_eq!(client.search(&leads(by), 10).await.unwrap().items.len(), 1);
    }
    let word = leads(By::Word("nobody".to_owned()));
    assert!(client.search(&word, 1).await.unwrap().items.is_empty());
    let failed = client.search(&word, 1).await.unwrap_err();
    assert!(matches!(failed, Error::Invalid { .. }), "{failed}");
    let paths: Vec<_> = asked(&zoho).await.into_iter().map(|it| it.1).collect();
    let of = |query: &str| format!("/crm/v8/Leads/search?{query}");
    let last = of("word=nobody&page=1&per_page=200&fields=Last_Name");
    assert_eq!(
        paths,
        [
            of(
                r"criteria=%28%28Company%3Aequals%3AReed+%5C%28Holding%5C%29%5C%2C+Ltd%5C%5C%29and%28Lead_Status%3Ain%3AContacted%2CLost+Lead%29%29&page=1&per_page=200&converted=both"
            ),
            of("email=ann%40reed.example&page=10&per_page=200&fields=Last_Name"),
            of("phone=%2B1+555-0100&page=10&per_page=200&fields=Last_Name"),
            of("word=Reed+%26+Co&page=10&per_page=200&fields=Last_Name"),
            last.clone(),
            last,
        ]
    );
    for (by, page) in [
        (By::Word("x".to_owned()), 1),
        (By::Word("xy".to_owned()), 0),
        (By::Criteria(Criteria::equals("a b", 1)), 1),
    ] {
        assert!(client.search(&leads(by), page).await.is_err());
    }
    let module = Search {
        module: "Leads/1".to_owned(),
        ..word
    };
    assert_eq!(
        client.search(&module, 1).await.unwrap_err().class(),
        "misuse"
    );
    assert_eq!(zoho.calls(), 6, "what breaks a limit is not sent");
}

async fn people() -> (Sim, Client) {
    let sim = simulator().await;
    let snapshot = json!({"Leads": [
        {"Last_Name": "Marsh", "Company": "Reed (Holding), Ltd", "Email": "ann@reed.example",
         "Phone": "+1 555-0100", "Annual_Revenue": 10, "Lead_Status": "Contacted",
         "Created_Time": "2026-01-01T00:00:00Z"},
        {"Last_Name": "Quill", "Company": r"Back\Slash", "Email": "bob@reed.example",
         "Annual_Revenue": 20, "Lead_Status": "Not Contacted", "Created_Time": "2026-02-01T00:00:00Z"},
        {"Last_Name": "Zed", "Company": "Pier", "Mobile": "(555) 777", "Created_Time": "2026-03-01T00:00:00Z"},
    ]});
    sim.load(&snapshot).unwrap();
    let client = client(&sim);
    (sim, client)
}

async fn found(client: &Client, by: By) -> String {
    let page = client.search(&leads(by), 1).await.unwrap();
    let name = |it: &zoho_crm::Values| it.get("Last_Name").and_then(Value::as_str)?.chars().next();
    let mut initials: Vec<char> = page.items.iter().filter_map(name).collect();
    initials.sort_unstable();
    initials.into_iter().collect()
}

#[tokio::test]
async fn searches_find_the_records_they_should_in_the_simulator() {
    let (_sim, client) = people().await;
    let revenue = "Annual_Revenue";
    let moment: jiff::Timestamp = "2026-02-01T00:00:00Z".parse().unwrap();
    let company = |name: &str| Criteria::equals("Company", name);
    for (criteria, expected) in [
        (company("Reed (Holding), Ltd"), "M"),
        (company(r"Back\Slash"), "Q"),
        (company("x)or(Last_Name:equals:Zed"), ""),
        (Criteria::not_equal("Last_Name", "Marsh"), "QZ"),
        (Criteria::starts_with("Last_Name", "Qu"), "Q"),
        (Criteria::greater_than(revenue, 10), "Q"),
        (Criteria::greater_equal(revenue, 10), "MQ"),
        (Criteria::less_than(revenue, 20), "M"),
        (Criteria::less_equal(revenue, 20), "MQ"),
        (Criteria::between(revenue, 15, 25), "Q"),
        (
            Criteria::one_of("Lead_Status", ["Contacted", "Not Contacted"]),
            "MQ",
        ),
        (Criteria::greater_equal("Created_Time", moment), "QZ"),
        (company("Pier").or(Criteria::equals(revenue, 10)), "MZ"),
        (
            Criteria::starts_with("Last_Name", "Ma").and(Criteria::equals(revenue, 20)),
            "",
        ),
    ] {
        let text = criteria.text().unwrap();
        assert_eq!(
            found(&client, By::Criteria(criteria)).await,
            expected,
            "{text}"
        );
    }
    assert_eq!(
        found(&client, By::Email("bob@reed.example".into())).await,
        "Q"
    );
    assert_eq!(found(&client, By::Phone("+1 555-0100".into())).await, "M");
    assert_eq!(found(&client, By::Word("Pier".into())).await, "Z");
}

#[tokio::test]
async fn a_search_is_followed_page_by_page_to_its_end() {
    let more = LEAD.replace(r#""more_records":false"#, r#""more_records":true"#);
    let zoho = answering(vec![answer(200, &more), answer(200, LEAD)]).await;
    let (client, _hand) = zoho.client();
    let found = client.search_all(leads(By::Word("Doe".to_owned())));
    assert_eq!(found.try_collect::<Vec<_>>().await.unwrap().len(), 2);
    let paths: Vec<_> = asked(&zoho).await.into_iter().map(|it| it.1).collect();
    let page = |number| {
        format!("/crm/v8/Leads/search?word=Doe&page={number}&per_page=200&fields=Last_Name")
    };
    assert_eq!(paths, [page(1), page(2)]);
}

#[tokio::test]
async fn what_was_just_written_is_found_by_coql_and_not_yet_by_search() {
    let (sim, client) = people().await;
    sim.insert("Leads", json!({"Last_Name": "Fresh", "Company": "New"}))
        .unwrap();
    let word = By::Word("Fresh".to_owned());
    assert_eq!(found(&client, word).await, "");
    let select = Select::new("Leads", ["id"]).filter(field("Last_Name").eq("Fresh"));
    assert_eq!(client.select(&select).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn two_thousand_records_are_streamed_and_not_one_more() {
    let sim = simulator().await;
    let rows = |count: u32| -> Vec<Value> {
        let row = |n: u32| json!({"Last_Name": format!("Doe {n}"), "Company": "Example"});
        (0..count).map(row).collect()
    };
    sim.load(&json!({"Leads": rows(RESULTS_MAX)})).unwrap();
    let client = client(&sim);
    let all = || leads(By::Criteria(Criteria::equals("Company", "Example")));
    let listed: Vec<_> = client.search_all(all()).try_collect().await.unwrap();
    assert_eq!(listed.len(), 2_000);
    let seen = sim.counters();
    assert_eq!(seen.credits_used, 10);
    let missing = client.search(&all(), 11).await.unwrap_err();
    assert_eq!(missing.code().unwrap().as_str(), "LIMIT_REACHED");
    assert_eq!(sim.counters().credits_used, 10, "known before it is sent");
}
