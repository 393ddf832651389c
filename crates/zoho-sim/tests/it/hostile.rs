//! Whatever is asked for is answered as the contract says, and never with a panic.

use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use zoho_sim::{Settings, Sim};

use crate::support::{DEADLINE, Org};

const REQUESTS: usize = 2_500;
/// After so many another lead is asked about: it may be deleted, converted, locked.
const PER_LEAD: usize = 50;
/// Statuses that the contract knows.
const STATUSES: &[u16] = &[200, 201, 202, 204, 207, 304, 400, 401, 403, 404, 412];
const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];
const SEGMENTS: &[&str] = &[
    "Leads",
    "Contacts",
    "Campaigns",
    "Notes",
    "Boats",
    "actions",
    "settings",
    "tags",
    "upsert",
    "deleted",
    "convert",
    "Attachments",
    "photo",
    "users",
    "org",
    "coql",
    "files",
    "upload",
    "__timeline",
    "Locking_Information__s",
    "0",
    "-1",
    "18446744073709551615",
    "99999999999999999999999",
    "%00",
    "%F0%9F%A6%80",
    "..;",
    "a.b.c",
];
const NAMES: &[&str] = &[
    "fields",
    "ids",
    "page",
    "per_page",
    "page_token",
    "sort_by",
    "sort_order",
    "cvid",
    "converted",
    "criteria",
    "word",
    "email",
    "phone",
    "filters",
    "module",
    "type",
    "from",
    "to",
    "group_by",
    "job_id",
    "over_write",
    "wf_trigger",
    "include_inner_details",
    "category",
];
const TEXTS: &[&str] = &[
    "",
    "0",
    "1",
    "-1",
    "201",
    "18446744073709551615",
    "1e999",
    "true",
    "null",
    "id",
    "Last_Name,Company",
    "(Last_Name:equals:x)",
    "((((",
    "(a:b:c)and(",
    "\\",
    "%",
    "'",
    "é🦀\u{0}",
    "2026-11-28T23:00:00+05:30",
    "9999-12-31T23:59:59+00:00",
    "-009999-01-01T00:00:00Z",
    "a-b-c",
    "ffffffffffffffff-7fffffffffffffff-ffffffffffffffff-b-7fffffffffffffff-ffffffffffffffff",
    "{\"field\":{\"api_name\":\"audited_time\"},\"comparator\":\"between\",\"value\":[\"x\"]}",
    "@{1:$.data[0].details.id}",
    "@{1:$}",
    "@{:}",
    "${!Leads.Id}",
    "select id from Leads where id is not null order by id desc limit 1 offset 99999",
    "select count(id) from Leads where (a = 'x' and (b in (",
    "$generate",
];

/// Paths below `/crm/v8`, or whole ones, with their methods and the body that suits them.
const PATHS: &[(&str, &str, &str)] = &[
    ("/Leads", "GET POST PUT DELETE", "record"),
    ("/Leads/{lead}", "GET PUT DELETE", "record"),
    ("/Leads/upsert", "POST", "record"),
    ("/Leads/search", "GET", "record"),
    ("/Leads/deleted", "GET", "record"),
    ("/actions/watch", "GET POST PUT PATCH DELETE", "watch"),
    ("/crm/bulk/v8/read", "POST", "query"),
    ("/crm/bulk/v8/write", "POST", "write"),
    ("/upload", "POST", "write"),
    (
        "/settings/automation/webhooks",
        "GET POST PUT DELETE",
        "webhook",
    ),
    ("/settings/automation/webhook_failures", "GET", "webhook"),
    (
        "/settings/automation/webhooks/actions/usage_reports",
        "GET",
        "webhook",
    ),
    ("/Leads/{lead}/actions/send_mail", "POST", "mail"),
    ("/__composite_requests", "POST", "composite"),
    ("/coql", "POST", "coql"),
    ("/Leads/{lead}/actions/convert", "POST", "convert"),
    ("/Leads/actions/mass_convert", "GET POST", "ids"),
    ("/Leads/actions/mass_delete", "GET POST", "ids"),
    ("/Leads/actions/add_tags", "POST", "ids"),
    ("/Leads/{lead}/actions/remove_tags", "POST", "tags"),
    ("/settings/tags", "GET POST PUT", "tags"),
    ("/settings/recycle_bin", "DELETE", "tags"),
    ("/settings/custom_views", "GET", "tags"),
    ("/Leads/{lead}/Notes", "GET POST", "note"),
    ("/Notes", "GET POST PUT", "note"),
    ("/Leads/{lead}/Locking_Information__s", "GET POST", "note"),
    ("/Leads/{lead}/Campaigns", "GET PUT DELETE", "note"),
    ("/Leads/{lead}/Campaigns/{lead}", "PUT DELETE", "note"),
    ("/Leads/{lead}/__timeline", "GET", "note"),
    ("/Leads/{lead}/Attachments", "GET POST", "note"),
    ("/Leads/{lead}/photo", "GET POST DELETE", "note"),
    ("/files", "GET POST", "note"),
];

/// What clients ask for, before anything in it is bent.
fn plausible(lead: &str) -> Vec<(Method, String, Value)> {
    let bodies = bodies(lead);
    let mut asked = vec![];
    for (path, methods, body) in PATHS {
        let root = if path.starts_with("/crm") {
            ""
        } else {
            "/crm/v8"
        };
        let path = format!("{root}{path}").replace("{lead}", lead);
        for method in methods.split(' ') {
            asked.push((method.parse().unwrap(), path.clone(), bodies[body].clone()));
        }
    }
    asked
}

fn bodies(lead: &str) -> Value {
    let record = json!({"data": [{"id": lead, "Last_Name": "M", "Company": "C", "Email": "m@example.com", "Owner": {"id": lead}, "Tag": [{"name": "t"}], "Annual_Revenue": 5}], "trigger": ["workflow"], "duplicate_check_fields": ["Email"]});
    let watch = json!({"watch": [{"channel_id": "1", "events": ["Leads.all"], "notify_url": "http://127.0.0.1:9/", "token": "t", "channel_expiry": "2026-11-30T00:00:00+00:00", "notification_condition": [{"type": "field_selection", "module": {"api_name": "Leads"}, "field_selection": {"group_operator": "or", "group": [{"field": {"api_name": "Email"}}, {"field": {"api_name": "Phone"}}]}}]}]});
    let query = json!({"query": {"module": {"api_name": "Leads"}, "fields": ["id", "Last_Name"], "page": 1, "criteria": {"group_operator": "and", "group": [{"field": {"api_name": "Last_Name"}, "comparator": "equal", "value": "M"}]}}, "callback": {"url": "http://127.0.0.1:9/", "method": "post"}, "file_type": "csv"});
    let write = json!({"operation": "upsert", "ignore_empty": true, "callback": {"url": "http://127.0.0.1:9/", "method": "post"}, "resource": [{"type": "data", "module": {"api_name": "Leads"}, "file_id": lead, "find_by": "Email", "field_mappings": [{"api_name": "Email", "index": 0}]}]});
    let webhook = json!({"webhooks": [{"module": {"api_name": "Leads"}, "name": "w", "url": "https://example.com/${!Leads.Id}", "http_method": "POST", "feature_type": "workflow", "authentication": {"type": "general"}, "body": {"type": "raw", "format": "JSON", "raw_data_content": "${!Leads.Id}"}}]});
    let mail = json!({"data": [{"from": {"email": "rosa.lark@example.com"}, "to": [{"email": "m@example.com"}], "subject": "s", "content": "c", "scheduled_time": "2026-12-01T00:00:00+00:00"}]});
    let composite = json!({"rollback_on_fail": true, "__composite_requests": [
        {"sub_request_id": "1", "method": "POST", "uri": "/crm/v8/Leads", "body": {"data": [{"Last_Name": "M", "Company": "C"}]}},
        {"sub_request_id": "2", "method": "GET", "uri": "/crm/v8/Leads/@{1:$.data[0].details.id}", "params": {"fields": "@{1:$.data[0].code}"}, "headers": {"If-Modified-Since": "x"}},
    ]});
    let coql = json!({"select_query": "select Last_Name, COUNT(id) from Leads where (Last_Name like 'M%' and Created_Time > '2020-01-01T00:00:00Z') group by Last_Name order by COUNT(id) desc limit 5", "include_meta": ["fields"]});
    let convert = json!({"data": [{"overwrite": true, "Deals": {"Deal_Name": "d", "Stage": "Qualification"}, "carry_over_tags": {"Contacts": [{"name": "t"}]}}]});
    let ids = json!({"ids": [lead], "Deals": {"Deal_Name": "d"}, "tags": [{"name": "t"}], "over_write": "true"});
    let tags = json!({"tags": [{"name": "t", "color_code": "#F17574", "id": lead}]});
    let note = json!({"data": [{"Note_Title": "n", "Note_Content": "c", "Parent_Id": {"module": {"api_name": "Leads"}, "id": lead}, "Locked_Reason__s": "r", "Member_Status": "Planned", "id": lead}]});
    json!({"record": record, "watch": watch, "query": query, "write": write, "webhook": webhook, "mail": mail, "composite": composite, "coql": coql, "convert": convert, "ids": ids, "tags": tags, "note": note})
}

struct Hostile {
    dice: StdRng,
}

impl Hostile {
    fn one_in(&mut self, count: u32) -> bool {
        self.dice.random_range(0..count) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.dice.random_range(0..from.len())].clone()
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.dice.random_range(0..if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.one_in(2)),
            2 => json!(self.pick(&[0_i64, -1, 1, i64::MIN, i64::MAX])),
            3 => json!(self.pick(&[u64::MAX, 2_147_483_648, 100])),
            4 => json!(self.pick(&[1e308, -0.5, 1e-300])),
            5 => json!(self.pick(TEXTS)),
            6 => (0..self.dice.random_range(0..4))
                .map(|_| self.value(depth - 1))
                .collect(),
            _ => {
                let keys = [
                    "id", "name", "data", "ids", "api_name", "module", "value", "Leads",
                ];
                let count = self.dice.random_range(0..4);
                let pairs =
                    (0..count).map(|_| (self.pick(&keys).to_owned(), self.value(depth - 1)));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// Replaces, removes or doubles something, anywhere in it.
    fn bend(&mut self, value: &mut Value) {
        if self.one_in(4) {
            *value = self.value(3);
            return;
        }
        match value {
            Value::Array(items) if !items.is_empty() => {
                let at = self.dice.random_range(0..items.len());
                match self.dice.random_range(0..6) {
                    0 => drop(items.remove(at)),
                    1 => items.extend(vec![items[at].clone(); 120]),
                    _ => self.bend(&mut items[at]),
                }
            }
            Value::Object(object) if !object.is_empty() => {
                let keys: Vec<String> = object.keys().cloned().collect();
                let key = self.pick(&keys);
                if self.one_in(8) {
                    object.remove(&key);
                } else {
                    self.bend(&mut object[&key]);
                }
            }
            Value::String(text) if self.one_in(2) => text.push_str(self.pick(TEXTS)),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => *value = self.value(2),
        }
    }

    fn path(&mut self, path: &str) -> String {
        let mut parts: Vec<String> = path.split('/').skip(1).map(Into::into).collect();
        if self.one_in(8) {
            let at = self.dice.random_range(1..parts.len());
            self.pick(SEGMENTS).clone_into(&mut parts[at]);
        }
        if self.one_in(12) {
            parts.push(self.pick(SEGMENTS).to_owned());
        }
        let mut path = format!("/{}", parts.join("/"));
        let mut query = form_urlencoded::Serializer::new(String::new());
        if self.one_in(2) {
            query.append_pair("fields", "Last_Name,Company");
        }
        for _ in 0..self.dice.random_range(0..3) {
            query.append_pair(self.pick(NAMES), self.pick(TEXTS));
        }
        path.push('?');
        path.push_str(&query.finish());
        path
    }
}

/// As the contract has it: a status it knows; no body, or JSON that tells of the errors.
fn check(status: StatusCode, body: &[u8], case: &str) {
    assert!(STATUSES.contains(&status.as_u16()), "{status} to {case}");
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        assert!(body.is_empty(), "{case}");
    } else if status.is_client_error() {
        let body: Value = serde_json::from_slice(body).unwrap();
        let items = || body.as_object().unwrap().values().any(Value::is_array);
        assert!(body["code"].is_string() || items(), "{body} to {case}");
    }
}

#[tokio::test]
async fn any_request_gets_a_documented_status() {
    let mut settings = Settings::on_loopback();
    settings.bulk_time = std::time::Duration::ZERO;
    let org = Org::with(settings).await;
    let mut hostile = Hostile {
        dice: StdRng::seed_from_u64(7),
    };
    let mut done = 0;
    let mut asked = vec![];
    for number in 0..REQUESTS {
        if number % PER_LEAD == 0 {
            let values = json!({"Last_Name": "M", "Company": "C"});
            asked = plausible(&org.sim.insert("Leads", values).unwrap());
        }
        let (mut method, path, mut body) = hostile.pick(&asked);
        if hostile.one_in(10) {
            method = hostile.pick(&METHODS);
        }
        for _ in 0..hostile.dice.random_range(0..2) {
            hostile.bend(&mut body);
        }
        let mut text = body.to_string();
        if hostile.one_in(20) {
            text = hostile.pick(TEXTS).to_owned();
        }
        let path = hostile.path(&path);
        let mut request = org.request(method.clone(), &path).body(text.clone());
        for name in [
            "If-Modified-Since",
            "If-Unmodified-Since",
            "X-CRM-ORG",
            "Content-Type",
        ] {
            if hostile.one_in(8) {
                request = request.header(
                    name,
                    hostile.pick(&[
                        "x",
                        "2026-11-28T23:00:00+05:30",
                        "multipart/form-data; boundary=x",
                    ]),
                );
            }
        }
        let case = || format!("request {number}: {method} {path} {text}");
        let answer = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", case()));
        let status = answer.status();
        done += usize::from(status.is_success());
        check(status, &answer.bytes().await.unwrap(), &case());
    }
    assert!(
        done > REQUESTS / 6,
        "most of it is refused at the door: {done}"
    );
    tokio::time::timeout(DEADLINE, jobs_are_done(&org.sim, &org))
        .await
        .unwrap();
}

/// The task that does what was ordered lives, too.
async fn jobs_are_done(sim: &Sim, org: &Org) {
    let query = json!({"query": {"module": {"api_name": "Deals"}, "fields": ["id"]}});
    let made = org.post("/crm/bulk/v8/read", &query).await;
    let id = made.body["data"][0]["details"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    loop {
        let job = org.get(&format!("/crm/bulk/v8/read/{id}")).await;
        if job.body["data"][0]["state"] == "COMPLETED" {
            break;
        }
        tokio::task::yield_now().await;
    }
    sim.callbacks_settled().await;
}
