//! One conversion, done: all of it, or nothing.

use serde_json::{Map, Value, json};

use super::{
    super::write::finish,
    wish::{CarriedTags, Target, Wish},
};
use crate::{
    answer::{Refusal, put},
    time,
    world::{
        World,
        channel::Event,
        people::Who,
        write::{Place, Write},
    },
};

/// Conversions come over the API as the integration user's.
const BY: Who = Who::Integration;

/// Which field of an account takes which of a lead.
const TO_ACCOUNT: &[(&str, &str)] = &[
    ("Company", "Account_Name"),
    ("Phone", "Phone"),
    ("Fax", "Fax"),
    ("Website", "Website"),
    ("Industry", "Industry"),
    ("Annual_Revenue", "Annual_Revenue"),
    ("No_of_Employees", "Employees"),
    ("Rating", "Rating"),
    ("Street", "Billing_Street"),
    ("City", "Billing_City"),
    ("State", "Billing_State"),
    ("Zip_Code", "Billing_Code"),
    ("Country", "Billing_Country"),
];
/// Which field of a contact takes which of a lead.
const TO_CONTACT: &[(&str, &str)] = &[
    ("Salutation", "Salutation"),
    ("First_Name", "First_Name"),
    ("Last_Name", "Last_Name"),
    ("Designation", "Title"),
    ("Email", "Email"),
    ("Secondary_Email", "Secondary_Email"),
    ("Phone", "Phone"),
    ("Mobile", "Mobile"),
    ("Fax", "Fax"),
    ("Lead_Source", "Lead_Source"),
    ("Email_Opt_Out", "Email_Opt_Out"),
    ("Street", "Mailing_Street"),
    ("City", "Mailing_City"),
    ("State", "Mailing_State"),
    ("Zip_Code", "Mailing_Zip"),
    ("Country", "Mailing_Country"),
    ("Skype_ID", "Skype_ID"),
    ("Twitter", "Twitter"),
    ("Description", "Description"),
];
const TO_DEAL: &[(&str, &str)] = &[("Lead_Source", "Lead_Source")];

/// A record to be written: checked, not yet there.
struct Draft {
    module: &'static str,
    target: Target,
    /// What a new record is made of, or what is written over an existing one.
    values: Map<String, Value>,
}

/// Fails unless the lead is there and not converted.
pub(super) fn ready(world: &World, lead: u64) -> Result<(), Refusal> {
    let record = world.tables.get("Leads").and_then(|it| it.get(lead));
    let record = record.ok_or_else(|| Refusal::invalid_id(json!({"resource_path_index": 1})))?;
    if record.converted {
        return Err(Refusal::new(
            "ID_ALREADY_CONVERTED",
            "id already converted",
            json!({"id": lead.to_string()}),
        ));
    }
    Ok(())
}

/// Converts a lead; gives `{"Contacts", "Accounts", "Deals"}`, each a lookup or null.
pub(crate) fn carry_out(world: &mut World, lead: u64, sent: &Value) -> Result<Value, Refusal> {
    ready(world, lead)?;
    let wish = Wish::read(world, sent)?;
    let values = world.tables.get("Leads").and_then(|it| it.get(lead));
    let values = values.map(|it| it.current.values.clone());
    let values = values.unwrap_or_default();
    same_account(world, &wish)?;
    let overwrite = wish.overwrite;
    let owner = wish.owner.map_or_else(
        || values.get("Owner").cloned().unwrap_or_default(),
        |who| who.with_email(world.org),
    );
    let draft = |module, target, fields| {
        draft(
            world,
            (module, target, fields),
            (&values, &owner),
            overwrite,
        )
    };
    let nameless = matches!(&wish.account, Target::New(sent) if !sent.contains_key("Account_Name"))
        && !has(&values, "Company");
    let account = if nameless {
        None
    } else {
        Some(draft("Accounts", wish.account, TO_ACCOUNT)?)
    };
    let contact = draft("Contacts", wish.contact, TO_CONTACT)?;
    let deal = wish
        .deal
        .map(|it| draft("Deals", it, TO_DEAL))
        .transpose()?;

    let account = account.map(|it| write(world, it, &[])).transpose()?;
    let of_account: Vec<(&str, Value)> = account
        .iter()
        .map(|it| ("Account_Name", it.clone()))
        .collect();
    let contact = write(world, contact, &of_account)?;
    let mut of_both = of_account;
    of_both.push(("Contact_Name", contact.clone()));
    let deal = deal.map(|it| write(world, it, &of_both)).transpose()?;
    let made = json!({"Contacts": contact, "Accounts": account, "Deals": deal});
    for carried in &wish.tags {
        carry_tags(world, carried, &made, values.get("Tag"));
    }
    move_papers(world, lead, &made, wish.attachments.as_deref());
    mark(world, lead, &made);
    Ok(made)
}

fn has(values: &Map<String, Value>, name: &str) -> bool {
    values.get(name).is_some_and(|it| !it.is_null())
}

/// An existing contact must not be of another account than the existing one that is named.
fn same_account(world: &World, wish: &Wish) -> Result<(), Refusal> {
    let (Target::Existing(account), Target::Existing(contact)) = (&wish.account, &wish.contact)
    else {
        return Ok(());
    };
    let contact = world.tables.get("Contacts").and_then(|it| it.get(*contact));
    let of = contact.and_then(|it| it.current.values.get("Account_Name")?.get("id")?.as_str());
    if of.is_some_and(|it| it != account.to_string()) {
        return Err(Refusal::new(
            "MAPPING_MISMATCH",
            "the contact is not of the account",
            json!({"mapped_field": {"api_name": "Account_Name", "json_path": "$.data[0].Contacts.id"},
                   "api_name": "Accounts", "json_path": "$.data[0].Accounts.id"}),
        ));
    }
    Ok(())
}

fn draft(
    world: &World,
    (module, target, fields): (&'static str, Target, &[(&str, &str)]),
    (lead, owner): (&Map<String, Value>, &Value),
    overwrite: bool,
) -> Result<Draft, Refusal> {
    let mut values: Map<String, Value> = fields
        .iter()
        .filter(|(from, _)| has(lead, from))
        .filter_map(|(from, to)| Some(((*to).to_owned(), lead.get(*from)?.clone())))
        .collect();
    match &target {
        Target::New(sent) => {
            if !owner.is_null() {
                values.insert("Owner".to_owned(), owner.clone());
            }
            values.extend(sent.clone());
        }
        Target::Existing(_) if overwrite => {}
        Target::Existing(_) => values.clear(),
    }
    let (kind, except) = match &target {
        Target::New(_) => (Write::Insert, None),
        Target::Existing(id) => (Write::Update, Some(*id)),
    };
    let place = Place { module, at: 0 };
    let values = world
        .check(place, &Value::Object(values), kind, except)
        .map_err(|refusal| within(refusal, module))?;
    Ok(Draft {
        module,
        target,
        values,
    })
}

/// The path of what is wrong leads through the module's name here.
fn within(mut refusal: Refusal, module: &str) -> Refusal {
    let path = refusal.details.get("json_path").and_then(Value::as_str);
    if let Some(path) = path {
        let path = path.replacen("$.data[0].", &format!("$.data[0].{module}."), 1);
        put(&mut refusal.details, "json_path", json!(path));
    }
    refusal
}

/// Writes a draft with the lookups to what was made before it; gives the record as a lookup.
fn write(world: &mut World, draft: Draft, lookups: &[(&str, Value)]) -> Result<Value, Refusal> {
    let Draft {
        module,
        target,
        mut values,
    } = draft;
    let id = match target {
        Target::New(_) => {
            for (name, value) in lookups {
                values.insert((*name).to_owned(), value.clone());
            }
            let change = world.insert(module, values, BY)?;
            let id = change.id;
            finish(world, module, vec![change], Event::Create);
            id
        }
        Target::Existing(id) => {
            if !values.is_empty() {
                let change = world.update(module, id, values, BY);
                finish(world, module, change.into_iter().collect(), Event::Edit);
            }
            id
        }
    };
    let table = world.tables.get(module);
    let name = table.and_then(|it| it.get(id)?.name(&it.module));
    Ok(json!({"name": name, "id": id.to_string()}))
}

fn carry_tags(world: &mut World, carried: &CarriedTags, made: &Value, of_lead: Option<&Value>) {
    let module = carried.to.as_str();
    let Some(id) = made_id(made, module) else {
        return;
    };
    let of_lead = of_lead.and_then(Value::as_array);
    let of_lead = of_lead.map(Vec::as_slice).unwrap_or_default();
    // A tag that the lead has is carried as the lead has it.
    let same = |one: &Value, other: &Value| {
        ["id", "name"]
            .iter()
            .any(|key| one.get(key).is_some_and(|it| other.get(key) == Some(it)))
    };
    let carried: Vec<Value> = match &carried.tags {
        None => of_lead.to_vec(),
        Some(chosen) => chosen
            .iter()
            .map(|tag| {
                of_lead
                    .iter()
                    .find(|it| same(tag, it))
                    .unwrap_or(tag)
                    .clone()
            })
            .collect(),
    };
    let record = world.tables.get(module).and_then(|it| it.get(id));
    let tags = record.and_then(|it| it.current.values.get("Tag")?.as_array().cloned());
    let mut tags = tags.unwrap_or_default();
    for tag in carried {
        if !tags.iter().any(|it| it.get("name") == tag.get("name")) {
            // Tags are of one module: the other one has its own of that name.
            tags.push(json!({"name": tag.get("name"), "color_code": tag.get("color_code")}));
        }
    }
    let mut values = Map::from_iter([("Tag".to_owned(), json!(tags))]);
    world.adopt_tags(module, &mut values, BY);
    let change = world.update(module, id, values, BY);
    finish(world, module, change.into_iter().collect(), Event::Edit);
}

/// Attachments go where they were asked to; notes go to the contact.
fn move_papers(world: &mut World, lead: u64, made: &Value, attachments: Option<&str>) {
    if let Some(module) = attachments
        && let Some(to) = made_id(made, module)
    {
        for attachment in world.papers.attachments.values_mut() {
            if attachment.parent == lead {
                attachment.parent = to;
                module.clone_into(&mut attachment.module);
            }
        }
    }
    let notes: Vec<u64> = world.notes_of(lead).collect();
    let module = json!({"api_name": "Contacts", "id": world.module_id("Contacts")});
    let mut parent = made.get("Contacts").cloned().unwrap_or_default();
    put(&mut parent, "module", module);
    for note in notes {
        let values = Map::from_iter([("Parent_Id".to_owned(), parent.clone())]);
        world.update("Notes", note, values, BY);
    }
}

fn made_id(made: &Value, module: &str) -> Option<u64> {
    made.get(module)?.get("id")?.as_str()?.parse().ok()
}

fn mark(world: &mut World, lead: u64, made: &Value) {
    let stamp = world.stamp(BY);
    let Some(table) = world.tables.get_mut("Leads") else {
        return;
    };
    table.alter(lead, |record| {
        record.converted = true;
        record.current.modified = stamp.at.max(record.current.modified);
        let values = &mut record.current.values;
        values.insert("Converted_Date_Time".into(), json!(time::zoho(stamp.at)));
        for (name, module) in [
            ("Converted_Account", "Accounts"),
            ("Converted_Contact", "Contacts"),
            ("Converted_Deal", "Deals"),
        ] {
            values.insert(name.into(), made.get(module).cloned().unwrap_or_default());
        }
    });
}
