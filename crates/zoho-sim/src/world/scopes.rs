//! Scopes: what a token may do.

/// The scopes of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scopes {
    All,
    /// Such as `ZohoCRM.modules.leads.READ`.
    Only(Vec<String>),
}

/// What a call needs: any of the operations, on what the path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) service: &'static str,
    /// In parts, as `modules`, `Leads`.
    pub(crate) path: Vec<String>,
    pub(crate) operation: &'static str,
}

/// Scopes in the answer to a token request without limits.
const ALL: &str = "ZohoCRM.modules.ALL ZohoCRM.settings.ALL ZohoCRM.notifications.ALL \
                   ZohoCRM.users.ALL ZohoCRM.org.ALL ZohoCRM.coql.READ ZohoCRM.bulk.ALL \
                   ZohoCRM.mass_delete.ALL ZohoCRM.send_mail.all.CREATE \
                   ZohoCRM.composite_requests.CUSTOM ZohoSearch.securesearch.READ \
                   ZohoFiles.files.ALL";

impl Scopes {
    /// A list with commas or spaces between; nothing asked for is everything.
    pub(crate) fn read(list: &str) -> Self {
        let scopes = list.split([',', ' ']).filter(|it| !it.is_empty());
        let scopes: Vec<String> = scopes.map(ToOwned::to_owned).collect();
        if scopes.is_empty() {
            Self::All
        } else {
            Self::Only(scopes)
        }
    }

    /// As the answer to a token request tells them.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::All => ALL.to_owned(),
            Self::Only(scopes) => scopes.join(" "),
        }
    }

    pub(crate) fn allow(&self, need: &Need) -> bool {
        match self {
            Self::All => true,
            Self::Only(scopes) => scopes.iter().any(|it| grants(it, need)),
        }
    }
}

/// Whether one scope grants what is needed: a scope of a family holds for all that is in it.
fn grants(scope: &str, need: &Need) -> bool {
    let mut parts: Vec<&str> = scope.split('.').collect();
    let operation = parts.pop().unwrap_or_default();
    let mut parts = parts.into_iter();
    if !parts
        .next()
        .is_some_and(|it| it.eq_ignore_ascii_case(need.service))
    {
        return false;
    }
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let mut path = need.path.iter();
    let inside = parts.all(|granted| match path.next() {
        Some(part) => granted.eq_ignore_ascii_case("all") || plain(granted) == plain(part),
        None => false,
    });
    let write = ["CREATE", "UPDATE"].contains(&need.operation);
    inside
        && (operation.eq_ignore_ascii_case("ALL")
            || operation.eq_ignore_ascii_case(need.operation)
            || (write && operation.eq_ignore_ascii_case("WRITE")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_holds_for_what_is_inside_it() {
        let need = |path: &[&str], operation| Need {
            service: "ZohoCRM",
            path: path.iter().map(ToString::to_string).collect(),
            operation,
        };
        let read_orders = need(&["modules", "Sales_Orders"], "READ");
        for (scope, granted) in [
            ("ZohoCRM.modules.ALL", true),
            ("ZohoCRM.modules.READ", true),
            ("ZohoCRM.modules.salesorders.READ", true),
            ("zohocrm.modules.Sales_Orders.all", true),
            ("ZohoCRM.modules.CREATE", false),
            ("ZohoCRM.modules.leads.READ", false),
            ("ZohoCRM.modules.salesorders.items.READ", false),
            ("ZohoSearch.modules.ALL", false),
            ("ZohoCRM.settings.ALL", false),
        ] {
            assert_eq!(Scopes::read(scope).allow(&read_orders), granted, "{scope}");
        }
        let create = need(&["modules", "Leads"], "CREATE");
        assert!(Scopes::read("ZohoCRM.modules.WRITE").allow(&create));
        assert!(!Scopes::read("ZohoCRM.modules.WRITE").allow(&read_orders));
        let mail = need(&["send_mail", "Leads"], "CREATE");
        assert!(Scopes::read("a.b.READ,ZohoCRM.send_mail.all.CREATE").allow(&mail));
        assert!(Scopes::read("").allow(&mail));
    }
}
