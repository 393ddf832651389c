//! The standard modules and their fields.

mod inventory;
mod sales;
mod work;

use super::module::{DataType, Definition, ModuleDefinition};

/// Fields every module has.
pub(crate) const COMMON: &[Definition] = &[
    Definition::new("id", DataType::BigInt).read_only(),
    Definition::new("Owner", DataType::Owner),
    Definition::new("Created_By", DataType::Owner).read_only(),
    Definition::new("Modified_By", DataType::Owner).read_only(),
    Definition::new("Created_Time", DataType::DateTime).read_only(),
    Definition::new("Modified_Time", DataType::DateTime).read_only(),
    Definition::new("Last_Activity_Time", DataType::DateTime).read_only(),
    Definition::new("Tag", DataType::Tags),
    Definition::new("Locked__s", DataType::Boolean).read_only(),
    Definition::choice("Record_Status__s", &["Available", "Draft", "Trash"]).read_only(),
];

/// All standard modules.
pub(crate) fn modules() -> impl Iterator<Item = &'static ModuleDefinition> {
    sales::MODULES
        .iter()
        .chain(work::MODULES)
        .chain(inventory::MODULES)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn lookups_point_to_modules_there_are_and_names_are_not_repeated() {
        let names: BTreeSet<&str> = modules().map(|it| it.name).collect();
        assert_eq!(names.len(), modules().count());
        for module in modules() {
            let mut fields = BTreeSet::new();
            for field in COMMON.iter().chain(module.fields) {
                assert!(
                    fields.insert(field.name),
                    "{}.{} twice",
                    module.name,
                    field.name
                );
                assert!(
                    field.target.is_empty() || names.contains(field.target),
                    "{}.{} points nowhere",
                    module.name,
                    field.name
                );
            }
            assert!(module.name_field.is_empty() || fields.contains(module.name_field));
            assert!(module.duplicate_check.is_empty() || fields.contains(module.duplicate_check));
        }
    }
}
