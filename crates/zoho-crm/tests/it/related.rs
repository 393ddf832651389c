//! Related lists.

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;
use zoho_crm::related::Relation;

use crate::{
    records::values,
    support::{
        error, json as answer,
        literal::{answering, asked},
        sim::{client, simulator},
    },
};

const PRODUCT: Relation<'_> = Relation {
    module: "Leads",
    id: "4150868000000376008",
    list: "Products",
    related_id: "4150868000000332001",
};

#[tokio::test]
async fn related_lists_are_read_as_the_contract_says() {
    let lists = r#"{"related_lists":[{"id":"4150868000000002501","sequence_number":"1","display_label":"Contacts","api_name":"Contacts","module":{"api_name":"Contacts","id":"4150868000000002179"},"name":"Contacts","href":"Accounts/{ENTITYID}/Contacts","type":"default"},{"id":"4150868000000002502","display_label":"Emails","api_name":"Emails","module":null,"type":"default"}]}"#;
    let page = |more: bool| {
        let body = format!(
            r#"{{"data":[{{"Last_Name":"Doe","id":"4150868000000376008"}}],"info":{{"per_page":200,"next_page_token":"abc","count":1,"page":1,"more_records":{more}}}}}"#
        );
        answer(200, &body)
    };
    let zoho = answering(vec![
        answer(200, lists),
        page(true),
        page(false),
        ResponseTemplate::new(204),
        error(400, "INVALID_DATA"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let lists = client.related_lists("Accounts").await.unwrap();
    assert_eq!(lists[0].module.as_deref(), Some("Contacts"));
    assert_eq!(lists[1].label, "Emails");
    assert_eq!(lists[1].module, None);
    let contacts = |fields| {
        let listing = client.related("Accounts", "17", "Contacts", fields);
        listing.try_collect::<Vec<_>>()
    };
    assert_eq!(contacts(&["Last_Name"]).await.unwrap().len(), 2);
    assert!(contacts(&["Last_Name"]).await.unwrap().is_empty());
    assert!(contacts(&["Last_Name"]).await.is_err());
    let paths: Vec<_> = asked(&zoho).await.into_iter().map(|it| it.1).collect();
    let first = "/crm/v8/Accounts/17/Contacts?fields=Last_Name&per_page=200&page=1";
    assert_eq!(
        paths,
        [
            "/crm/v8/settings/related_lists?module=Accounts",
            first,
            "/crm/v8/Accounts/17/Contacts?fields=Last_Name&per_page=200&page_token=abc",
            first,
            first,
        ]
    );
    assert_eq!(contacts(&[]).await.unwrap_err().class(), "misuse");
    assert_eq!(zoho.calls(), 5);
}

#[tokio::test]
async fn records_are_related_and_parted_as_the_contract_says() {
    let done = r#"{"data":[{"code":"SUCCESS","details":{"id":"4150868000000332001"},"message":"relation updated","status":"success"}]}"#;
    let wrong = r#"{"data":[{"code":"INVALID_DATA","details":{"id":"4150868000000332001"},"message":"the relation id given seems to be invalid","status":"error"}]}"#;
    let zoho = answering(vec![
        answer(200, done),
        answer(200, &done.replace("updated", "removed")),
        answer(400, wrong),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let price = values(&json!({"Price": 50}));
    client.relate(&PRODUCT, price).await.unwrap();
    client.unrelate(&PRODUCT).await.unwrap();
    assert_eq!(
        client.unrelate(&PRODUCT).await.unwrap_err().class(),
        "invalid"
    );
    let path = || "/crm/v8/Leads/4150868000000376008/Products/4150868000000332001".to_owned();
    let delete = || ("DELETE".to_owned(), path(), Value::Null);
    assert_eq!(
        asked(&zoho).await,
        [
            ("PUT".to_owned(), path(), json!({"data": [{"Price": 50}]})),
            delete(),
            delete(),
        ]
    );
    let elsewhere = Relation {
        list: "../Leads",
        ..PRODUCT
    };
    assert_eq!(
        client.unrelate(&elsewhere).await.unwrap_err().class(),
        "misuse"
    );
}

#[tokio::test]
async fn related_lists_are_followed_over_pages_in_the_simulator() {
    let sim = simulator().await;
    let client = client(&sim);
    let account = sim
        .insert("Accounts", json!({"Account_Name": "Reed"}))
        .unwrap();
    let row = |n: u32| json!({"Last_Name": n.to_string(), "Account_Name": {"id": account}});
    sim.insert_many("Contacts", (0..450).map(row).collect())
        .unwrap();
    let lists = client.related_lists("Accounts").await.unwrap();
    let contacts = lists.iter().find(|it| it.api_name == "Contacts").unwrap();
    assert_eq!(contacts.module.as_deref(), Some("Contacts"));
    let listing = client.related("Accounts", &account, "Contacts", &["Last_Name"]);
    let listed: Vec<_> = listing.try_collect().await.unwrap();
    assert_eq!(listed.len(), 450);
    assert_eq!(listed[0]["Last_Name"], "449");
    assert_eq!(sim.counters().calls(zoho_sim::Kind::Related), 3);
    let deals = client.related("Accounts", &account, "Deals", &["Deal_Name"]);
    assert!(deals.try_collect::<Vec<_>>().await.unwrap().is_empty());
    for (id, list) in [("17", "Contacts"), (account.as_str(), "Nothing")] {
        let wrong = client.related("Accounts", id, list, &["id"]);
        assert!(wrong.try_collect::<Vec<_>>().await.is_err(), "{id} {list}");
    }
}

#[tokio::test]
async fn records_are_related_changed_and_parted_in_the_simulator() {
    let sim = simulator().await;
    let client = client(&sim);
    let campaign = sim
        .insert("Campaigns", json!({"Campaign_Name": "Fair"}))
        .unwrap();
    let lead = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    let relation = Relation {
        module: "Campaigns",
        id: &campaign,
        list: "Leads",
        related_id: &lead,
    };
    let fields = ["Last_Name", "Member_Status"];
    let members = || {
        let listing = client.related("Campaigns", &campaign, "Leads", &fields);
        listing.try_collect::<Vec<_>>()
    };
    assert!(members().await.unwrap().is_empty());
    for status in ["Planned", "Attended"] {
        let status = json!({"Member_Status": status});
        client.relate(&relation, values(&status)).await.unwrap();
        let members = members().await.unwrap();
        assert_eq!(members.len(), 1);
        assert_eq!(members[0]["Last_Name"], "Doe");
        assert_eq!(members[0]["Member_Status"], status["Member_Status"]);
    }
    client.unrelate(&relation).await.unwrap();
    assert!(members().await.unwrap().is_empty());
    assert_eq!(sim.records("Leads").len(), 1, "both records stay");
    let again = client.unrelate(&relation).await.unwrap_err();
    assert_eq!(again.code().unwrap().as_str(), "INVALID_DATA");
    let by_lookup = Relation {
        list: "Deals",
        ..relation
    };
    let refused = client.relate(&by_lookup, zoho_crm::Values::new()).await;
    assert_eq!(refused.unwrap_err().class(), "invalid");
}
