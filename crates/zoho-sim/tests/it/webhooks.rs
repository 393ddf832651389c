//! Workflow webhooks: made, fired by rules, and their failures.

use std::sync::Arc;

use axum::{Router, extract::State, http::Request, routing::any};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Mutex, task::JoinHandle};
use zoho_sim::Settings;

use crate::support::{DEADLINE, Org};

const PATH: &str = "/crm/v8/settings/automation/webhooks";

type Seen = Arc<Mutex<Vec<String>>>;

/// Keeps every call as `METHOD path?query | x-key | content type | body`.
struct Caller {
    url: String,
    seen: Seen,
    task: JoinHandle<()>,
}

impl Caller {
    async fn start(status: StatusCode) -> Self {
        let seen = Seen::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let keep = async move |State(seen): State<Seen>, request: Request<axum::body::Body>| {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 65_536).await.unwrap();
            let header = |name: &str| {
                let value = parts.headers.get(name);
                value.map_or("", |it| it.to_str().unwrap()).to_owned()
            };
            let line = format!(
                "{} {} | {} | {} | {}",
                parts.method,
                parts.uri,
                header("x-key"),
                header("content-type"),
                String::from_utf8(body.to_vec()).unwrap()
            );
            seen.lock().await.push(line);
            status
        };
        let app = Router::new()
            .fallback(any(keep))
            .with_state(Arc::clone(&seen));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen, task }
    }

    async fn all(&self, org: &Org) -> Vec<String> {
        let settled = org.sim.callbacks_settled();
        tokio::time::timeout(DEADLINE, settled).await.unwrap();
        self.seen.lock().await.clone()
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn open() -> Org {
    let mut settings = Settings::on_loopback();
    settings.webhooks_to_private_hosts = true;
    Org::with(settings).await
}

fn webhook(name: &str, url: &str, body: &Value) -> Value {
    json!({
        "module": {"api_name": "Leads"},
        "name": name,
        "url": url,
        "http_method": "POST",
        "feature_type": "workflow",
        "authentication": {"type": "general"},
        "headers": {"custom_parameters": [{"name": "x-key", "value": "s3cret"}]},
        "body": body,
    })
}

async fn make(org: &Org, webhook: &Value) -> String {
    let made = org.post(PATH, &json!({"webhooks": [webhook]})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let id = made.body["webhooks"][0]["details"]["id"].as_str().unwrap();
    assert_eq!(
        made.body,
        json!({"webhooks": [{"code": "SUCCESS", "details": {"id": id},
               "message": "webhook created successfully", "status": "success"}]})
    );
    id.to_owned()
}

#[tokio::test]
async fn a_webhook_is_made_listed_changed_and_deleted() {
    let org = Org::start().await;
    assert_eq!(org.get(PATH).await.status, StatusCode::NO_CONTENT);
    let sent = webhook(
        "New lead",
        "https://example.com/in",
        &json!({"type": "none"}),
    );
    let id = make(&org, &sent).await;
    let listed = org.get(&format!("{PATH}?module=Leads")).await.body;
    assert_eq!(
        listed["info"],
        json!({"per_page": 200, "count": 1, "page": 1, "more_records": false})
    );
    let shown = &listed["webhooks"][0];
    for key in [
        "name",
        "url",
        "http_method",
        "feature_type",
        "headers",
        "body",
    ] {
        assert_eq!(shown[key], sent[key], "{key}");
    }
    assert_eq!(shown["id"], id);
    assert_eq!(shown["module"]["api_name"], "Leads");
    assert_eq!(shown["associated"], false);

    let change = json!({"webhooks": [{"url": "https://example.com/other"}]});
    let one = format!("{PATH}/{id}");
    let changed = org.put(&one, &change).await;
    assert_eq!(changed.body["webhooks"][0]["code"], "SUCCESS");
    let shown = org.get(&one).await.body["webhooks"][0].clone();
    assert_eq!(shown["url"], "https://example.com/other");
    assert_eq!(shown["name"], "New lead");
    let moved = json!({"webhooks": [{"id": id, "module": {"api_name": "Deals"}}]});
    let moved = org.put(PATH, &moved).await;
    assert_eq!(moved.body["webhooks"][0]["code"], "INVALID_DATA");

    let modules = org.get(&format!("{PATH}/actions/associated_modules")).await;
    assert_eq!(modules.body["associated_modules"][0]["api_name"], "Leads");
    let gone = org.delete(&format!("{PATH}?ids={id}")).await;
    assert_eq!(gone.body["webhooks"][0]["details"], json!({"id": id}));
    assert_eq!(org.get(&one).await.body["code"], "INVALID_DATA");
}

#[tokio::test]
async fn a_webhook_is_refused_for_what_is_wrong_with_it() {
    let org = Org::start().await;
    let good = webhook("A", "https://example.com/in", &json!({"type": "none"}));
    make(&org, &good).await;
    for (changes, code, json_path) in [
        (json!({"module": "Leads"}), "INVALID_DATA", "module"),
        (
            json!({"module": {"api_name": "Notes"}}),
            "INVALID_DATA",
            "module.api_name",
        ),
        (json!({"name": "A"}), "DUPLICATE_DATA", "name"),
        (json!({"name": "50%"}), "INVALID_DATA", "name"),
        (
            json!({"url": "http://localhost:8080/in"}),
            "INVALID_DATA",
            "url",
        ),
        (json!({"url": "http://127.0.0.1/in"}), "INVALID_DATA", "url"),
        (json!({"url": "http://10.1.2.3/in"}), "INVALID_DATA", "url"),
        (
            json!({"feature_type": null}),
            "MANDATORY_NOT_FOUND",
            "feature_type",
        ),
        (
            json!({"http_method": "PATCH"}),
            "INVALID_DATA",
            "http_method",
        ),
        (
            json!({"authentication": null}),
            "MANDATORY_NOT_FOUND",
            "authentication.type",
        ),
        (
            json!({"body": {"type": "raw", "format": "JSON"}}),
            "MANDATORY_NOT_FOUND",
            "body.raw_data_content",
        ),
        (
            json!({"url_parameters": {}}),
            "DEPENDENT_MISMATCH",
            "url_parameters",
        ),
        (
            json!({"headers": {"custom_parameters": [{"name": "Host", "value": "x"}]}}),
            "INVALID_DATA",
            "headers.custom_parameters",
        ),
    ] {
        let mut sent = good.clone();
        sent["name"] = json!("B");
        for (name, value) in changes.as_object().unwrap() {
            sent[name] = value.clone();
        }
        let answer = org.post(PATH, &json!({"webhooks": [sent]})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{changes}");
        let item = &answer.body["webhooks"][0];
        assert_eq!(item["code"], code, "{changes}");
        assert_eq!(
            item["details"]["json_path"],
            format!("$.webhooks[0].{json_path}"),
            "{changes}"
        );
    }
    let two = org.post(PATH, &json!({"webhooks": [good, good]})).await;
    assert_eq!(two.body["details"]["maximum_length"], 1);
}

#[tokio::test]
async fn a_rule_fires_its_webhook_with_the_records_values() {
    let org = open().await;
    let caller = Caller::start(StatusCode::OK).await;
    let raw = json!({"type": "raw", "format": "JSON",
                     "raw_data_content": r#"{"id":"${!Leads.Id}","name":"${!Leads.Last_Name}"}"#});
    let raw = make(&org, &webhook("raw", &caller.url, &raw)).await;
    let form = json!({"type": "form_data", "form_data_content": {
        "module_parameters": [{"name": "lead", "value": "${!Leads.Company}"}],
        "custom_parameters": [{"name": "from", "value": "crm"}]}});
    let form = make(&org, &webhook("form", &caller.url, &form)).await;
    let mut get = webhook("get", &caller.url, &Value::Null);
    get["http_method"] = json!("GET");
    get["url_parameters"] = json!({"module_parameters": [{"name": "id", "value": "${!Leads.Id}"}]});
    let get = make(&org, &get).await;
    org.sim.workflow_rule("Leads", "insert", &raw).unwrap();
    org.sim.workflow_rule("Leads", "update", &form).unwrap();
    org.sim.workflow_rule("Leads", "delete", &get).unwrap();
    assert!(org.sim.workflow_rule("Deals", "insert", &raw).is_err());

    let lead = json!({"Last_Name": "Marsh", "Company": "Reed & Co"});
    let made = org.post("/crm/v8/Leads", &json!({"data": [lead]})).await;
    let id = made.body["data"][0]["details"]["id"].as_str().unwrap();
    org.post("/crm/v8/Leads", &json!({"data": [lead], "trigger": []}))
        .await;
    org.sim
        .update("Leads", id, json!({"City": "Rome"}))
        .unwrap();
    org.delete(&format!("/crm/v8/Leads/{id}")).await;
    let mut seen = caller.all(&org).await;
    seen.sort();
    assert_eq!(
        seen,
        [
            format!("GET /hook?id={id} | s3cret |  | "),
            format!(r#"POST /hook | s3cret | application/json | {{"id":"{id}","name":"Marsh"}}"#),
            "POST /hook | s3cret | application/x-www-form-urlencoded | lead=Reed+%26+Co&from=crm"
                .to_owned(),
        ]
    );
    let usage = org
        .get(&format!(
            "{PATH}/actions/usage_reports?group_by=date,resource,type"
        ))
        .await
        .body;
    assert_eq!(usage["data_usage"].as_array().unwrap().len(), 3);
    assert_eq!(usage["data_usage"][0]["type"], "webhooks");
    assert!(usage["info"]["max_limit"].is_number());
}

#[tokio::test]
async fn the_control_plane_takes_private_hosts_and_makes_rules() {
    let org = Org::start().await;
    let caller = Caller::start(StatusCode::OK).await;
    let hook = webhook("hook", &caller.url, &json!({"type": "none"}));
    let body = json!({"webhooks": [hook]});
    let refused = org.post(PATH, &body).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let opened = org
        .put("/sim/webhooks", &json!({"private_hosts": true}))
        .await;
    assert_eq!(opened.status, StatusCode::OK);
    let hook = make(&org, &hook).await;
    let rule = json!({"module": "Leads", "operation": "insert", "webhook": hook});
    let rule = org.post("/sim/workflow_rules", &rule).await;
    assert!(rule.body["id"].is_string());
    org.sim
        .insert("Leads", json!({"Last_Name": "Marsh"}))
        .unwrap();
    assert_eq!(caller.all(&org).await.len(), 1);
}

#[tokio::test]
async fn a_failed_call_is_listed_and_not_repeated() {
    let org = open().await;
    let failures = "/crm/v8/settings/automation/webhook_failures";
    assert_eq!(org.get(failures).await.status, StatusCode::NO_CONTENT);
    let caller = Caller::start(StatusCode::NOT_FOUND).await;
    let hook = webhook("hook", &caller.url, &json!({"type": "none"}));
    let hook = make(&org, &hook).await;
    let rule = org.sim.workflow_rule("Leads", "insert", &hook).unwrap();
    let lead = json!({"Last_Name": "Marsh", "Company": "Reed Ltd"});
    let lead = org.sim.insert("Leads", lead).unwrap();
    assert_eq!(caller.all(&org).await.len(), 1);
    let listed = org.get(failures).await.body;
    let item = &listed["webhook_failures"][0];
    assert_eq!(
        item,
        &json!({
            "id": item["id"],
            "webhook": {"name": "hook", "id": hook},
            "entity_details": {
                "module": {"api_name": "Leads", "id": item["entity_details"]["module"]["id"]},
                "name": "Marsh",
                "id": lead,
            },
            "failure_time": item["failure_time"],
            "failure_reason": "page_notfound",
            "workflow_rule": {"name": format!("Rule {rule}"), "id": rule},
        })
    );
    assert_eq!(listed["info"]["count"], 1);
    for (query, status) in [
        (format!("webhook_id={hook}"), StatusCode::OK),
        ("webhook_id=17".to_owned(), StatusCode::NO_CONTENT),
        ("module=Deals".to_owned(), StatusCode::NO_CONTENT),
        (
            "from=2020-01-01&to=2020-02-01".to_owned(),
            StatusCode::NO_CONTENT,
        ),
        ("from=2020-01-01".to_owned(), StatusCode::BAD_REQUEST),
        ("from=yesterday".to_owned(), StatusCode::BAD_REQUEST),
    ] {
        let answer = org.get(&format!("{failures}?{query}")).await;
        assert_eq!(answer.status, status, "{query}");
    }
}
