//! What a conversion is asked to do.

use serde_json::{Map, Value, json};

use crate::{
    answer::Refusal,
    world::{World, people::Who},
};

/// The modules that a lead becomes records of.
const MODULES: [&str; 3] = ["Accounts", "Contacts", "Deals"];
const FLAGS: &[&str] = &[
    "overwrite",
    "notify_lead_owner",
    "notify_new_entity_owner",
    "apply_assignment_threshold",
];

/// A conversion as it is wanted.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) account: Target,
    pub(super) contact: Target,
    pub(super) deal: Option<Target>,
    /// Write the lead's values over those of existing records.
    pub(super) overwrite: bool,
    pub(super) owner: Option<Who>,
    /// The module that gets the attachments.
    pub(super) attachments: Option<String>,
    pub(super) tags: Vec<CarriedTags>,
}

/// Tags for the record of one module.
#[derive(Debug)]
pub(super) struct CarriedTags {
    pub(super) to: String,
    /// Nothing for all of the lead's.
    pub(super) tags: Option<Vec<Value>>,
}

/// A record to be made, or one that is there.
#[derive(Debug)]
pub(super) enum Target {
    New(Map<String, Value>),
    Existing(u64),
}

impl Wish {
    pub(super) fn read(world: &World, sent: &Value) -> Result<Self, Refusal> {
        for flag in FLAGS {
            if sent
                .get(flag)
                .is_some_and(|it| !it.is_boolean() && !it.is_null())
            {
                let mut refusal = Refusal::invalid_key(flag, &format!("$.data[0].{flag}"));
                crate::answer::put(&mut refusal.details, "expected_data_type", json!("boolean"));
                return Err(refusal);
            }
        }
        let deal = sent.get("Deals").filter(|it| !it.is_null());
        Ok(Self {
            account: target(world, sent, "Accounts")?,
            contact: target(world, sent, "Contacts")?,
            deal: deal.map(|_| target(world, sent, "Deals")).transpose()?,
            overwrite: sent.get("overwrite") == Some(&Value::Bool(true)),
            owner: owner(world, sent)?,
            attachments: attachments(sent)?,
            tags: tags(sent)?,
        })
    }
}

fn target(world: &World, sent: &Value, module: &str) -> Result<Target, Refusal> {
    let id = match sent.get(module) {
        None | Some(Value::Null) => return Ok(Target::New(Map::new())),
        Some(Value::String(id)) => Some(id),
        Some(Value::Object(values)) => match values.get("id") {
            None | Some(Value::Null) => return Ok(Target::New(values.clone())),
            Some(Value::String(id)) => Some(id),
            Some(_) => None,
        },
        Some(_) => None,
    };
    let path = format!("$.data[0].{module}.id");
    let id = id.and_then(|it| it.parse().ok());
    let table = world.tables.get(module);
    let id = id.filter(|id| table.is_some_and(|it| it.get(*id).is_some()));
    id.map(Target::Existing)
        .ok_or_else(|| Refusal::invalid_id(json!({"api_name": "id", "json_path": path})))
}

fn owner(world: &World, sent: &Value) -> Result<Option<Who>, Refusal> {
    let Some(user) = sent.get("assign_to").filter(|it| !it.is_null()) else {
        return Ok(None);
    };
    let id = user.as_str().or_else(|| user.get("id")?.as_str());
    let who = Who::ALL
        .into_iter()
        .find(|it| Some(it.id(world.org).as_str()) == id);
    match who {
        Some(who) => Ok(Some(who)),
        None => Err(Refusal::invalid_key("assign_to", "$.data[0].assign_to.id")),
    }
}

fn attachments(sent: &Value) -> Result<Option<String>, Refusal> {
    let Some(module) = sent.get("move_attachments_to").filter(|it| !it.is_null()) else {
        return Ok(None);
    };
    let name = module.get("api_name").and_then(Value::as_str);
    match name.filter(|it| MODULES.contains(it)) {
        Some(name) => Ok(Some(name.to_owned())),
        None => Err(Refusal::invalid_key(
            "move_attachments_to",
            "$.data[0].move_attachments_to.api_name",
        )),
    }
}

/// `{"Contacts": [{"name"}]}`; a mass conversion says `[{"api_name": "Contacts"}]` for all tags.
fn tags(sent: &Value) -> Result<Vec<CarriedTags>, Refusal> {
    let wrong = || Refusal::invalid_key("carry_over_tags", "$.data[0].carry_over_tags");
    let known = |name: &&str| MODULES.contains(name);
    match sent.get("carry_over_tags") {
        None | Some(Value::Null) => Ok(vec![]),
        Some(Value::Array(modules)) => modules
            .iter()
            .map(|it| {
                let name = it.get("api_name").and_then(Value::as_str);
                let name = name.filter(known).ok_or_else(wrong)?;
                Ok(CarriedTags {
                    to: name.to_owned(),
                    tags: None,
                })
            })
            .collect(),
        Some(Value::Object(modules)) => modules
            .iter()
            .map(|(name, tags)| {
                let name = Some(name.as_str()).filter(known).ok_or_else(wrong)?;
                let tags = tags.as_array().ok_or_else(wrong)?;
                // The older guide shows bare names; the real service takes objects only.
                if tags.iter().any(|it| !it.is_object()) {
                    return Err(wrong());
                }
                Ok(CarriedTags {
                    to: name.to_owned(),
                    tags: Some(tags.clone()),
                })
            })
            .collect(),
        Some(_) => Err(wrong()),
    }
}
