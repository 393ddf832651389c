//! Relations in related lists: made, shown, changed, taken away.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Org, ids};

struct Fair {
    org: Org,
    campaign: String,
    lead: String,
    /// The campaign's list of leads.
    list: String,
}

impl Fair {
    async fn start() -> Self {
        let org = Org::start().await;
        let campaign = org
            .sim
            .insert("Campaigns", json!({"Campaign_Name": "Fair"}))
            .unwrap();
        let lead = org
            .sim
            .insert("Leads", json!({"Last_Name": "Marsh"}))
            .unwrap();
        let list = format!("/crm/v8/Campaigns/{campaign}/Leads");
        Self {
            org,
            campaign,
            lead,
            list,
        }
    }
}

fn done(id: &str, message: &str) -> Value {
    json!({"code": "SUCCESS", "details": {"id": id}, "message": message, "status": "success"})
}

#[tokio::test]
async fn a_relation_is_made_seen_from_both_sides_changed_and_taken_away() {
    let Fair {
        org,
        campaign,
        lead,
        list,
    } = Fair::start().await;
    let one = format!("{list}/{lead}");
    let read = format!("{list}?fields=Last_Name,Member_Status");
    assert_eq!(org.get(&read).await.status, StatusCode::NO_CONTENT);
    for status in ["Planned", "Attended"] {
        let related = org
            .put(&one, &json!({"data": [{"Member_Status": status}]}))
            .await;
        assert_eq!(related.status, StatusCode::OK);
        assert_eq!(
            related.body,
            json!({"data": [done(&lead, "relation updated")]})
        );
        let row = json!({"id": lead, "Last_Name": "Marsh", "Member_Status": status});
        assert_eq!(org.get(&read).await.body["data"], json!([row]));
    }
    let other_side = format!("/crm/v8/Leads/{lead}/Campaigns?fields=Campaign_Name");
    let seen = org.get(&other_side).await;
    assert_eq!(
        seen.body["data"],
        json!([{"id": campaign, "Campaign_Name": "Fair"}])
    );
    let removed = org.delete(&one).await;
    assert_eq!(
        (removed.status, removed.body),
        (
            StatusCode::OK,
            json!({"data": [done(&lead, "relation removed")]})
        )
    );
    assert_eq!(org.get(&other_side).await.status, StatusCode::NO_CONTENT);
    assert_eq!(org.sim.records("Leads").len(), 1, "both records stay");
    let again = org.delete(&one).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert_eq!(again.body["data"][0]["code"], "INVALID_DATA");
}

#[tokio::test]
async fn many_are_related_with_one_call_and_each_has_its_result() {
    let Fair {
        org, lead, list, ..
    } = Fair::start().await;
    let second = org
        .sim
        .insert("Leads", json!({"Last_Name": "Reed"}))
        .unwrap();
    let answer = org
        .put(
            &list,
            &json!({"data": [{"id": lead}, {"id": second}, {"id": "1"}, {"Member_Status": "Planned"}, {"id": second, "Member_Status": 1}]}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    let codes: Vec<&Value> = answer.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["code"])
        .collect();
    assert_eq!(
        codes,
        [
            "SUCCESS",
            "SUCCESS",
            "INVALID_DATA",
            "MANDATORY_NOT_FOUND",
            "INVALID_DATA"
        ]
    );
    let read = format!("{list}?fields=id");
    assert_eq!(
        ids(&org.get(&read).await.body),
        [second.clone(), lead.clone()]
    );
    org.sim.delete("Leads", &[&second]).unwrap();
    assert_eq!(ids(&org.get(&read).await.body), [lead.as_str()]);
    let removed = org.delete(&format!("{list}?ids={lead},{second}")).await;
    assert_eq!(removed.status, StatusCode::MULTI_STATUS);
    assert_eq!(
        org.delete(&list).await.body["code"],
        "REQUIRED_PARAM_MISSING"
    );
}

#[tokio::test]
async fn lists_by_lookups_and_unknown_ones_relate_nothing() {
    let Fair {
        org,
        campaign,
        lead,
        ..
    } = Fair::start().await;
    for path in [
        format!("Campaigns/{campaign}/Deals/{lead}"),
        format!("Campaigns/{campaign}/Boats/{lead}"),
    ] {
        let refused = org
            .put(&format!("/crm/v8/{path}"), &json!({"data": [{}]}))
            .await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(
            refused.body["message"],
            "the relation name given seems to be invalid"
        );
    }
    let empty = org
        .put(
            &format!("/crm/v8/Campaigns/{campaign}/Leads/{lead}"),
            &json!({}),
        )
        .await;
    assert_eq!(empty.body["code"], "MANDATORY_NOT_FOUND");
    let lists = org
        .get("/crm/v8/settings/related_lists?module=Campaigns")
        .await;
    let lists = lists.body["related_lists"].as_array().unwrap().clone();
    for name in ["Leads", "Contacts", "Deals"] {
        assert!(lists.iter().any(|it| it["api_name"] == name), "{name}");
    }
}
