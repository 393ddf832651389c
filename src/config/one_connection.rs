//! One entry of `connections`, whatever else the file says: the command line needs no broker's password.

use std::path::Path;

use crate::{enrich::Connection, event::ConnectionName};

use super::{
    Problem, Problems, connections, mask, not_yaml, read_file,
    reader::{Reader, listed, nearest},
    substitute::{self, Origins},
    without_place,
    yaml::{self, Entry, Node, Scalar, Style, Value},
};

/// Whether an entry must name its refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshToken {
    /// It must.
    Needed,
    /// It is about to be got: whatever stands there is not read, and the connection has none.
    NotYet,
}

/// Reads one entry of `connections`: that of this name, or the only one. The rest of the file is not looked at.
///
/// # Errors
/// All problems at once, each with line and column. No message holds a secret.
pub fn load_connection(
    path: &Path,
    name: Option<&str>,
    refresh: RefreshToken,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Connection, Problems> {
    let file = path.display().to_string();
    let refused = |problems| Problems::new(file.clone(), problems);
    let source = read_file(path).map_err(|why| {
        refused(vec![without_place(format!(
            "the file cannot be read: {why}"
        ))])
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let origins = Origins {
        variable: env,
        folder,
    };
    read(&source, name, refresh, origins).map_err(refused)
}

fn read(
    source: &str,
    name: Option<&str>,
    refresh: RefreshToken,
    origins: Origins<'_>,
) -> Result<Connection, Vec<Problem>> {
    let mut root = yaml::parse(source).map_err(|error| vec![not_yaml(source, &error)])?;
    let mut reader = Reader::new(source);
    let scalars = mask::scalars(&root);
    let mut found = None;
    if let Some(name) = chosen(&mut reader, &mut root, name)
        && let Some(node) = section(&mut root)
    {
        if refresh == RefreshToken::NotYet {
            forget_refresh_token(node);
        }
        substitute::substitute(&mut reader, node, origins);
        found = connections::read(&mut reader, node).remove(&ConnectionName::new(name));
    }
    let broken = reader.errors() > 0;
    let problems = reader.finish(&scalars);
    match found {
        Some(mut connection) if !broken => {
            if refresh == RefreshToken::NotYet {
                connection.refresh_token = vec![];
            }
            Ok(connection)
        }
        _ => Err(problems),
    }
}

/// Leaves only the wanted entry in its section, and says its name.
fn chosen(reader: &mut Reader<'_>, root: &mut Node, name: Option<&str>) -> Option<String> {
    let Some(node) = section(root) else {
        reader.error_hint(
            root,
            "the file has no `connections`",
            "name the org there, or use the environment instead: ZOHO_CLIENT_ID and --data-center",
        );
        return None;
    };
    let names: Vec<String> = reader
        .named(node, "connections by name")
        .iter()
        .map(|it| it.key.clone())
        .collect();
    let words: Vec<&str> = names.iter().map(String::as_str).collect();
    let chosen = match (name, words.as_slice()) {
        (_, []) => {
            reader.error(node, "there is no connection");
            return None;
        }
        (None, [only]) => *only,
        (None, several) => {
            let hint = format!("say which with --connection: {}", listed(several));
            reader.error_hint(node, "there are several connections", hint);
            return None;
        }
        (Some(name), all) if all.contains(&name) => name,
        (Some(name), all) => {
            let hint = match nearest(name, all.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there is {}", listed(all)),
            };
            reader.error_hint(node, format!("no connection is called `{name}`"), hint);
            return None;
        }
    };
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|it| it.key == chosen);
    }
    Some(chosen.to_owned())
}

fn section(root: &mut Node) -> Option<&mut Node> {
    let Value::Map(entries) = &mut root.value else {
        return None;
    };
    let entry = entries.iter_mut().find(|it| it.key == "connections")?;
    Some(&mut entry.node)
}

/// Something must stand there; it is thrown away after reading.
fn forget_refresh_token(node: &mut Node) {
    const KEY: &str = "refresh_token";
    let Value::Map(connections) = &mut node.value else {
        return;
    };
    for connection in connections {
        let path = format!("{}.{KEY}", connection.node.path);
        let at = connection.node.at.clone();
        let Value::Map(fields) = &mut connection.node.value else {
            continue;
        };
        fields.retain(|it| it.key != KEY);
        fields.push(Entry {
            key: KEY.to_owned(),
            key_span: at.clone(),
            node: Node {
                value: Value::Scalar(Scalar {
                    text: "not yet known".to_owned(),
                    style: Style::Quoted,
                    substituted: true,
                    by_fallback: false,
                }),
                span: at.clone(),
                at,
                path,
            },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "version: 1\nconnections:\n  acme: { data_center: eu, client_id: \"${ID}\", client_secret: s, refresh_token: \"${REFRESH}\" }\n  other: { data_center: com, client_id: \"${OTHER}\", client_secret: s, refresh_token: r }\nsources: { broken: [1, 2] }\ndestinations: { queue: { url: \"${BROKER}\" } }\n";

    /// The host of the found connection and how many refresh tokens it has, or all that is said.
    fn check(
        text: &str,
        name: Option<&str>,
        refresh: RefreshToken,
    ) -> Result<(String, usize), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.yaml");
        std::fs::write(&path, text).unwrap();
        let env = |name: &str| (name == "ID").then(|| "1000.ID".to_owned());
        match load_connection(&path, name, refresh, &env) {
            Ok(it) => Ok((
                it.api_url.host_str().unwrap().to_owned(),
                it.refresh_token.len(),
            )),
            Err(problems) => Err(problems.to_string()),
        }
    }

    #[test]
    fn the_rest_of_the_file_is_not_looked_at() {
        let text = FILE.replace("${REFRESH}", "r");
        let found = check(&text, Some("acme"), RefreshToken::Needed);
        assert_eq!(found, Ok(("www.zohoapis.eu".to_owned(), 1)));
    }

    #[test]
    fn a_refresh_token_that_is_not_yet_there_is_not_missed_by_who_gets_it() {
        let found = check(FILE, Some("acme"), RefreshToken::NotYet);
        assert_eq!(found, Ok(("www.zohoapis.eu".to_owned(), 0)));
        let without = FILE.replacen(", refresh_token: \"${REFRESH}\"", "", 1);
        assert_ne!(without, FILE);
        assert_eq!(
            check(&without, Some("acme"), RefreshToken::NotYet),
            check(FILE, Some("acme"), RefreshToken::NotYet)
        );
        assert!(check(&without, Some("acme"), RefreshToken::Needed).is_err());
        let missed = check(FILE, Some("acme"), RefreshToken::Needed).unwrap_err();
        assert!(missed.contains("REFRESH"), "{missed}");
    }

    #[test]
    fn which_connection_is_asked_where_it_is_not_clear() {
        let several = check(FILE, None, RefreshToken::Needed).unwrap_err();
        assert!(several.contains("--connection"), "{several}");
        let near = check(FILE, Some("acne"), RefreshToken::Needed).unwrap_err();
        assert!(near.contains("did you mean `acme`"), "{near}");
        let none = check("version: 1\n", None, RefreshToken::Needed).unwrap_err();
        assert!(none.contains("no `connections`"), "{none}");
    }
}
