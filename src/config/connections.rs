//! `connections`: Zoho orgs and our access to them.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use url::Url;
use zoho_crm::{DataCenter, Region};

use crate::{enrich::Connection, event::ConnectionName};

use super::{
    reader::{Fields, Reader},
    typed::is_loopback,
    value,
    yaml::Node,
};

/// Credits that a rolling day may use.
const CREDITS_DAILY: RangeInclusive<u64> = 1..=1_000_000_000;

/// Share of the daily credits that is never touched, in percent.
const RESERVE_PERCENT_DEFAULT: u8 = 20;

/// Calls in flight at once. Zoho: "API limits", v8: 5 (Free) to 25 (Ultimate).
const CONCURRENCY: RangeInclusive<usize> = 1..=25;
const CONCURRENCY_DEFAULT: usize = 10;

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> BTreeMap<ConnectionName, Connection> {
    let mut connections = BTreeMap::new();
    for entry in reader.named(node, "connections by name") {
        let name = ConnectionName::new(entry.key.as_str());
        if let Some(connection) = one(reader, &name, &entry.node) {
            connections.insert(name, connection);
        }
    }
    connections
}

fn one(reader: &mut Reader<'_>, name: &ConnectionName, node: &Node) -> Option<Connection> {
    let known = [
        "data_center",
        "api_url",
        "accounts_url",
        "client_id",
        "client_secret",
        "refresh_token",
        "credits",
    ];
    let fields = reader.fields(node, &known, &[]);
    let urls = urls(reader, &fields);
    let id = reader
        .required(
            &fields,
            "client_id",
            "the OAuth client's id, from Zoho's API console",
        )
        .and_then(|it| reader.secret(it));
    let secret = reader
        .required(
            &fields,
            "client_secret",
            "the OAuth client's secret, from Zoho's API console",
        )
        .map(|it| reader.secrets(it, |_| Ok(())));
    let refresh = reader
        .required(
            &fields,
            "refresh_token",
            "made with access_type=offline and the scopes you need",
        )
        .map(|it| reader.secrets(it, |_| Ok(())));
    let (mut daily, mut reserve, mut concurrency) = (None, None, None);
    if let Some(node) = fields.get("credits") {
        let credits = reader.fields(node, &["daily", "reserve", "concurrency"], &[]);
        daily = credits
            .get("daily")
            .and_then(|it| reader.number(it, &CREDITS_DAILY));
        reserve = credits
            .get("reserve")
            .and_then(|it| reader.parsed(it, "a percentage such as 20%", value::percent));
        concurrency = credits
            .get("concurrency")
            .and_then(|it| reader.number(it, &CONCURRENCY));
    }
    let (api_url, accounts_url) = urls?;
    Some(Connection {
        name: name.clone(),
        api_url,
        accounts_url,
        client_id: id?,
        client_secret: secret?,
        refresh_token: refresh?,
        credits_daily: daily,
        credits_reserve_percent: reserve.unwrap_or(RESERVE_PERCENT_DEFAULT),
        concurrency: concurrency.unwrap_or(CONCURRENCY_DEFAULT),
        timeout: TIMEOUT,
    })
}

/// API and accounts server: both by data centre, or both as written.
fn urls(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<(Url, Url)> {
    let both = (fields.get("api_url"), fields.get("accounts_url"));
    let (Some(api), Some(accounts)) = both else {
        if let Some(one) = both.0.or(both.1) {
            base_url(reader, one);
            reader.error_hint(
                one,
                "`api_url` and `accounts_url` go together",
                "give both, or give `data_center` alone",
            );
            return None;
        }
        let hint =
            "com, eu, in, com.au, jp, ca, sa, cn or uk; or give `api_url` and `accounts_url`";
        let node = reader.required(fields, "data_center", hint)?;
        let accepted = Region::ALL.map(|it| (it.as_str(), it));
        let center = DataCenter::region(reader.word(node, &accepted)?).ok()?;
        return Some((center.api_url().clone(), center.accounts_url().clone()));
    };
    if let Some(node) = fields.get("data_center") {
        reader.text(node, "a data centre");
        reader.error_hint(
            node,
            "`data_center` and `api_url` say the same thing twice",
            "give `data_center` alone, or `api_url` and `accounts_url` alone",
        );
    }
    let (api, accounts) = (base_url(reader, api), base_url(reader, accounts));
    Some((api?, accounts?))
}

/// Tokens travel over it, so http only on this machine.
fn base_url(reader: &mut Reader<'_>, node: &Node) -> Option<Url> {
    let url = reader.http_url(node)?;
    if url.query().is_some() || url.fragment().is_some() {
        reader.error(node, "a base URL has no query and no fragment");
        return None;
    }
    reader.text(node, "a URL")?;
    if url.scheme() == "http" && !is_loopback(&url) {
        reader.error_hint(
            node,
            "http would send the access token in clear",
            "use https; http is only for a simulator on this machine",
        );
        return None;
    }
    Some(url)
}
