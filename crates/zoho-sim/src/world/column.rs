//! Columns of a query: a field of a module, or one beyond lookups, as `Account_Name.Phone`.

use serde_json::{Value, json};

use super::{
    World,
    module::{DataType, Field, Module},
    people::Who,
    record::{Reading, Record},
    typed::Typed,
};

/// What of a user can be named behind the dot of `Owner.email`.
const USER_KEYS: &[&str] = &[
    "id",
    "name",
    "first_name",
    "last_name",
    "full_name",
    "email",
];

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// As it was asked for.
    pub(crate) name: String,
    /// The lookups on the way, each with the module it points to.
    lookups: Vec<(Field, String)>,
    last: Last,
}

#[derive(Clone, Debug)]
enum Last {
    Field(Field),
    /// Of the user that a field names.
    User(Field, String),
}

impl Column {
    /// The column of this name; nothing if there is none.
    pub(crate) fn find(world: &World, module: &Module, name: &str) -> Option<Self> {
        let mut module = module;
        let mut lookups = vec![];
        let mut parts = name.split('.').peekable();
        loop {
            let part = parts.next()?;
            let field = module.field(part)?;
            let Some(next) = parts.peek() else {
                return Some(Self {
                    name: name.to_owned(),
                    lookups,
                    last: Last::Field(field.clone()),
                });
            };
            if field.data_type == DataType::Owner {
                let key = USER_KEYS.contains(next).then(|| (*next).to_owned())?;
                parts.next();
                return parts.next().is_none().then(|| Self {
                    name: name.to_owned(),
                    lookups,
                    last: Last::User(field.clone(), key),
                });
            }
            let target = field.target.as_ref()?;
            lookups.push((field.clone(), target.clone()));
            module = &world.tables.get(target)?.module;
        }
    }

    /// The field at its end.
    pub(crate) fn field(&self) -> &Field {
        match &self.last {
            Last::Field(field) | Last::User(field, _) => field,
        }
    }

    pub(crate) fn data_type(&self) -> DataType {
        match &self.last {
            Last::Field(field) => field.data_type,
            Last::User(..) => DataType::Text,
        }
    }

    /// The joins it needs: each lookup on its way with what comes before it.
    pub(crate) fn joins(&self) -> Vec<String> {
        let mut path = String::new();
        let mut joins = vec![];
        let owner = match &self.last {
            Last::User(field, _) => Some(field),
            Last::Field(_) => None,
        };
        for field in self.lookups.iter().map(|it| &it.0).chain(owner) {
            path.push_str(&field.name);
            joins.push(path.clone());
            path.push('.');
        }
        joins
    }

    /// Whether it is this field of the module itself.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.lookups.is_empty() && matches!(&self.last, Last::Field(field) if field.name == name)
    }

    pub(crate) fn typed(&self, world: &World, record: &Record, reading: Reading) -> Typed {
        let Some(record) = self.follow(world, record, reading) else {
            return Typed::Null;
        };
        match &self.last {
            Last::Field(field) => Typed::of(record, record.version(reading), field, world.org),
            Last::User(field, key) => {
                let value = user(&record.value(field, reading), key);
                Typed::from_json(DataType::Text, &value)
            }
        }
    }

    /// Its value as a row of an answer shows it.
    pub(crate) fn shown(&self, world: &World, record: &Record, reading: Reading) -> Value {
        let Some(record) = self.follow(world, record, reading) else {
            return Value::Null;
        };
        match &self.last {
            Last::Field(field) => {
                let mut value = record.value(field, reading).into_owned();
                if field.data_type == DataType::Owner
                    && let Some(owner) = value.as_object_mut()
                {
                    owner.remove("email");
                }
                value
            }
            Last::User(field, key) => user(&record.value(field, reading), key),
        }
    }

    fn follow<'w>(
        &self,
        world: &'w World,
        record: &'w Record,
        reading: Reading,
    ) -> Option<&'w Record> {
        let mut record = record;
        for (field, target) in &self.lookups {
            let value = record.value(field, reading);
            let id = value.get("id")?.as_str()?.parse().ok()?;
            record = world.tables.get(target)?.get(id)?;
        }
        Some(record)
    }
}

fn user(value: &Value, key: &str) -> Value {
    let text = |key| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = text("name");
    let known = Who::ALL.iter().any(|it| it.name() == name);
    let (first, last) = name.split_once(' ').unwrap_or(("", name));
    match key {
        "first_name" if known => json!(first),
        "last_name" => json!(last),
        "full_name" | "name" => json!(name),
        key => value.get(key).cloned().unwrap_or_default(),
    }
}
