//! Users, org, modules, fields, unknown URLs.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::Org;

#[tokio::test]
async fn the_current_user_is_the_one_who_consented() {
    let org = Org::start().await;
    let answer = org.get("/crm/v8/users?type=CurrentUser").await;
    assert_eq!(answer.body["users"].as_array().unwrap().len(), 1);
    let id = answer.body["users"][0]["id"].as_str().unwrap();
    let one = org.get(&format!("/crm/v8/users/{id}")).await;
    assert_eq!(one.body["users"][0]["full_name"], "Rosa Lark");
    let all = org.get("/crm/v8/users?type=AllUsers").await;
    assert_eq!(all.body["info"]["count"], 2);
    let none = org.get("/crm/v8/users?type=DeactiveUsers").await;
    assert_eq!(none.status, StatusCode::NO_CONTENT);
    assert_eq!(none.body, Value::Null);
}

#[tokio::test]
async fn the_org_says_its_edition() {
    let org = Org::start().await;
    let answer = org.get("/crm/v8/org").await;
    assert_eq!(
        answer.body["org"][0]["license_details"]["paid_type"],
        "enterprise"
    );
}

#[tokio::test]
async fn fields_have_types() {
    let org = Org::start().await;
    let types = async |module: &str, name: &str| {
        let answer = org
            .get(&format!("/crm/v8/settings/fields?module={module}"))
            .await;
        let fields = answer.body["fields"].as_array().unwrap().clone();
        let field = fields.iter().find(|it| it["api_name"] == name).unwrap();
        assert!(field["id"].is_string());
        format!(
            "{} {}",
            field["data_type"].as_str().unwrap(),
            field["json_type"].as_str().unwrap()
        )
    };
    for (module, name, expected) in [
        ("Leads", "Email", "email string"),
        ("Leads", "Phone", "phone string"),
        ("Leads", "Owner", "ownerlookup jsonobject"),
        ("Leads", "Interests", "multiselectpicklist jsonarray"),
        ("Deals", "Amount", "currency double"),
        ("Deals", "Stage", "picklist string"),
        ("Deals", "Account_Name", "lookup jsonobject"),
        ("Contacts", "Modified_Time", "datetime string"),
        ("Quotes", "Quoted_Items", "subform jsonarray"),
        ("Tasks", "Description", "textarea string"),
    ] {
        assert_eq!(types(module, name).await, expected, "{module}.{name}");
    }
}

#[tokio::test]
async fn all_standard_modules_are_there() {
    let org = Org::start().await;
    let answer = org.get("/crm/v8/settings/modules").await;
    let names: Vec<&str> = answer.body["modules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["api_name"].as_str().unwrap())
        .collect();
    for name in [
        "Leads",
        "Contacts",
        "Accounts",
        "Deals",
        "Tasks",
        "Calls",
        "Events",
        "Products",
        "Quotes",
        "Sales_Orders",
        "Invoices",
        "Campaigns",
        "Cases",
        "Vendors",
    ] {
        assert!(names.contains(&name), "{name}");
        let one = org.get(&format!("/crm/v8/settings/modules/{name}")).await;
        assert_eq!(one.body["modules"][0]["api_name"], name);
    }
}

#[tokio::test]
async fn unknown_modules_paths_and_methods_are_refused() {
    let org = Org::start().await;
    let module = org.get("/crm/v8/Llamas?fields=id").await;
    assert_eq!(module.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        module.body,
        json!({"code": "INVALID_MODULE", "details": {"resource_path_index": 0},
               "message": "the module name given seems to be invalid", "status": "error"})
    );
    let path = org.get("/crm/v7/Leads").await;
    assert_eq!(path.status, StatusCode::NOT_FOUND);
    assert_eq!(path.body["code"], "INVALID_URL_PATTERN");
    let method = org.patch("/crm/v8/Leads", &json!({})).await;
    assert_eq!(method.body["code"], "INVALID_REQUEST_METHOD");
}
