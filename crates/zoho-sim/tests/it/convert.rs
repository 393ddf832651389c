//! Conversions of leads.

use reqwest::StatusCode;
use serde_json::{Value, json};
use zoho_sim::{Fault, On, What};

use crate::support::{DEADLINE, Org};

fn lead(org: &Org) -> String {
    let lead = json!({"Last_Name": "Marsh", "First_Name": "Ann", "Company": "Reed Ltd",
        "Email": "ann@example.com", "City": "Rome",
        "Tag": [{"name": "hot", "id": "11", "color_code": null}, {"name": "new", "id": "12", "color_code": null}]});
    org.sim.insert("Leads", lead).unwrap()
}

fn path(lead: &str) -> String {
    format!("/crm/v8/Leads/{lead}/actions/convert")
}

fn record(org: &Org, module: &str, made: &Value) -> Value {
    let records = org.sim.records(module);
    records
        .into_iter()
        .find(|it| it["id"] == made["id"])
        .unwrap()
}

#[tokio::test]
async fn a_lead_becomes_an_account_a_contact_and_a_deal() {
    let org = Org::start().await;
    let lead = lead(&org);
    let note = json!({"Note_Content": "x", "Parent_Id": {"id": lead}});
    org.sim.insert("Notes", note).unwrap();
    let attachments = format!("/crm/v8/Leads/{lead}/Attachments");
    let link = format!("{attachments}?attachmentUrl=https%3A%2F%2Fexample.com%2Fplan.pdf");
    assert_eq!(org.post(&link, &json!({})).await.status, StatusCode::OK);
    let person = org.get("/crm/v8/users?type=AllUsers").await.body["users"][1]["id"].clone();
    let before = org.sim.counters().credits_used;
    let answer = org
        .post(
            &path(&lead),
            &json!({"data": [{
                "overwrite": false,
                "notify_lead_owner": true,
                "assign_to": {"id": person},
                "move_attachments_to": {"api_name": "Deals"},
                "Accounts": {"Industry": "Retail"},
                "Contacts": {"Phone": "555-7001"},
                "Deals": {"Deal_Name": "Pumps", "Stage": "Qualification", "Amount": 12},
                "carry_over_tags": {"Contacts": [{"name": "hot"}]},
            }]}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(org.sim.counters().credits_used - before, 5);
    let made = &answer.body["data"][0]["details"];
    let (account, contact, deal) = (&made["Accounts"], &made["Contacts"], &made["Deals"]);
    assert_eq!(
        answer.body,
        json!({"data": [{
            "code": "SUCCESS",
            "details": {
                "Contacts": {"name": "Ann Marsh", "id": contact["id"]},
                "Deals": {"name": "Pumps", "id": deal["id"]},
                "Accounts": {"name": "Reed Ltd", "id": account["id"]},
            },
            "message": "The record has been converted successfully",
            "status": "success",
        }]})
    );
    check_made(&org, made, &person).await;
    let again = org.post(&path(&lead), &json!({"data": [{}]})).await;
    assert_eq!(
        again.body,
        json!({"code": "ID_ALREADY_CONVERTED", "details": {"id": lead},
               "message": "id already converted", "status": "error"})
    );
}

/// What the lead, and what the wish said, is in the records that were made.
async fn check_made(org: &Org, made: &Value, person: &Value) {
    let (account, contact, deal) = (&made["Accounts"], &made["Contacts"], &made["Deals"]);
    let account = record(org, "Accounts", account);
    assert_eq!(account["Industry"], "Retail");
    assert_eq!(account["Billing_City"], "Rome");
    assert_eq!(&account["Owner"]["id"], person);
    let contact = record(org, "Contacts", contact);
    assert_eq!(contact["Email"], "ann@example.com");
    assert_eq!(contact["Phone"], "555-7001");
    assert_eq!(contact["Account_Name"]["id"], account["id"]);
    let tags = contact["Tag"].as_array().unwrap();
    assert_eq!(tags.len(), 1);
    assert_eq!(tags[0]["name"], "hot");
    let deal = record(org, "Deals", deal);
    assert_eq!(deal["Contact_Name"]["id"], contact["id"]);
    assert_eq!(deal["Account_Name"]["id"], account["id"]);
    let converted = &org.sim.records("Leads")[0];
    assert_eq!(converted["$converted"], true);
    assert_eq!(converted["Converted_Deal"]["id"], deal["id"]);
    let moved = format!(
        "/crm/v8/Deals/{}/Attachments?fields=id",
        deal["id"].as_str().unwrap()
    );
    assert_eq!(org.get(&moved).await.body["info"]["count"], 1);
    let notes = &org.sim.records("Notes")[0];
    assert_eq!(notes["Parent_Id"]["id"], contact["id"]);
}

#[tokio::test]
async fn a_lead_joins_existing_records_and_overwrites_them_if_told_to() {
    let org = Org::start().await;
    let account = json!({"Account_Name": "Reed", "Phone": "1"});
    let account = org.sim.insert("Accounts", account).unwrap();
    let contact = json!({"Last_Name": "M", "Account_Name": {"id": account}});
    let contact = org.sim.insert("Contacts", contact).unwrap();
    let body = |overwrite: bool| json!({"data": [{"overwrite": overwrite, "Accounts": {"id": account}, "Contacts": {"id": contact}}]});
    let quiet = org.post(&path(&lead(&org)), &body(false)).await;
    assert_eq!(
        quiet.body["data"][0]["details"],
        json!({"Contacts": {"name": "M", "id": contact}, "Accounts": {"name": "Reed", "id": account}, "Deals": null})
    );
    let loud = org.post(&path(&lead(&org)), &body(true)).await;
    assert_eq!(
        loud.body["data"][0]["details"]["Accounts"]["name"],
        "Reed Ltd"
    );
    let account = &org.sim.records("Accounts")[0];
    assert_eq!(account["Account_Name"], "Reed Ltd");
    assert_eq!(account["Phone"], "1");
}

#[tokio::test]
async fn what_cannot_be_done_leaves_everything_as_it_was() {
    let org = Org::start().await;
    let lead = lead(&org);
    let account = json!({"Account_Name": "Other"});
    let account = org.sim.insert("Accounts", account).unwrap();
    let own = json!({"Account_Name": "Own"});
    let own = org.sim.insert("Accounts", own).unwrap();
    let contact = json!({"Last_Name": "M", "Account_Name": {"id": own}});
    let contact = org.sim.insert("Contacts", contact).unwrap();
    for (wish, code, json_path) in [
        (
            json!({"Accounts": {"id": account}, "Contacts": {"id": contact}}),
            "MAPPING_MISMATCH",
            "$.data[0].Accounts.id",
        ),
        (
            json!({"Deals": {"Deal_Name": "D"}}),
            "MANDATORY_NOT_FOUND",
            "$.data[0].Deals.Stage",
        ),
        (
            json!({"Accounts": {"id": "17"}}),
            "INVALID_DATA",
            "$.data[0].Accounts.id",
        ),
        (
            json!({"assign_to": {"id": "17"}}),
            "INVALID_DATA",
            "$.data[0].assign_to.id",
        ),
        (
            json!({"carry_over_tags": {"Contacts": ["hot"]}}),
            "INVALID_DATA",
            "$.data[0].carry_over_tags",
        ),
        (
            json!({"overwrite": "yes"}),
            "INVALID_DATA",
            "$.data[0].overwrite",
        ),
    ] {
        let answer = org.post(&path(&lead), &json!({"data": [wish]})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wish}");
        let item = &answer.body["data"][0];
        assert_eq!(item["code"], code, "{wish}");
        assert_eq!(item["details"]["json_path"], json_path, "{wish}");
    }
    assert_eq!(org.sim.records("Accounts").len(), 2);
    assert_eq!(org.sim.records("Contacts").len(), 1);
    assert_eq!(org.sim.records("Leads")[0]["$converted"], false);
    let unknown = org.post(&path("17"), &json!({"data": [{}]})).await;
    assert_eq!(unknown.body["code"], "INVALID_DATA");
}

/// The status of a conversion in the background once no lead is left.
async fn ended(org: &Org, job: &Value) -> Value {
    let path = format!(
        "/crm/v8/Leads/actions/mass_convert?job_id={}",
        job.as_str().unwrap()
    );
    let ended = async {
        loop {
            let status = org.get(&path).await.body["data"][0].clone();
            if status["Not_Converted_Count"] == 0 {
                return status;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, ended).await.unwrap()
}

#[tokio::test]
async fn many_leads_are_converted_in_the_background() {
    let org = Org::start().await;
    let leads = [lead(&org), lead(&org)];
    org.post(&path(&leads[1]), &json!({})).await;
    let mass = "/crm/v8/Leads/actions/mass_convert";
    let body = json!({"ids": leads, "Deals": {"Deal_Name": "D", "Stage": "Qualification"},
                      "carry_over_tags": [{"api_name": "Deals"}]});
    let answer = org.post(mass, &body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let job = &answer.body["details"]["job_id"];
    assert_eq!(
        answer.body,
        json!({"code": "SCHEDULED", "details": {"job_id": job},
               "message": "Mass Convert scheduled successfully", "status": "success"})
    );
    assert_eq!(
        ended(&org, job).await,
        json!({"Total_Count": 2, "Converted_Count": 1, "Not_Converted_Count": 0,
               "Failed_Count": 1, "Status": "completed"})
    );
    let deals = org.sim.records("Deals");
    assert_eq!(deals.len(), 1);
    assert_eq!(deals[0]["Tag"].as_array().unwrap().len(), 2);

    for (body, code) in [
        (json!({}), "MANDATORY_NOT_FOUND"),
        (json!({"ids": ["17"]}), "INVALID_DATA"),
        (json!({"ids": vec!["17"; 51]}), "LIMIT_EXCEEDED"),
        (json!({"ids": leads, "Deals": {}}), "MANDATORY_NOT_FOUND"),
    ] {
        assert_eq!(org.post(mass, &body).await.body["code"], code, "{body}");
    }
    assert_eq!(org.get(mass).await.body["code"], "REQUIRED_PARAM_MISSING");
    let unknown = org.get(&format!("{mass}?job_id=17")).await;
    assert_eq!(unknown.body["code"], "INVALID_DATA");
}

#[tokio::test]
async fn a_conversion_can_be_scheduled() {
    let org = Org::start().await;
    let lead = lead(&org);
    let scheduled = Fault {
        on: On::Write,
        what: What::Schedule,
        times: Some(1),
        chance: 1.0,
    };
    assert!(org.sim.faults().add(scheduled));
    let answer = org.post(&path(&lead), &json!({"data": [{}]})).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.body["data"][0]["code"], "SCHEDULED");
    let status = ended(&org, &answer.body["data"][0]["details"]["job_id"]).await;
    assert_eq!(status["Converted_Count"], 1);
    assert_eq!(org.sim.records("Leads")[0]["$converted"], true);
}

#[tokio::test]
async fn conversion_options_name_the_records_a_lead_matches() {
    let org = Org::start().await;
    let lead = lead(&org);
    let account = json!({"Account_Name": "reed ltd", "Phone": "1"});
    let account = org.sim.insert("Accounts", account).unwrap();
    let path = format!("/crm/v8/Leads/{lead}/__conversion_options?fields=Phone");
    let options = &org.get(&path).await.body["__conversion_options"];
    assert_eq!(options["module_preference"]["api_name"], "Contacts");
    assert_eq!(
        options["Accounts"],
        json!([{"id": account, "Account_Name": "reed ltd", "Phone": "1"}])
    );
    assert_eq!(options["Contacts"], Value::Null);
}
