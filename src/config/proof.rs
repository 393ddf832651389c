//! `verify` of a source: what its callers must show.

use std::{ops::RangeInclusive, time::Duration};

use http::HeaderName;

use crate::verify::{Algorithm, Encoding, Hmac, Preset, Proof, Signed};

use super::{
    reader::{Fields, Reader},
    sources::Kind,
    yaml::{Node, Value},
};

/// Zoho: "Notification API", v8, key `token`: longer ones are refused with `INVALID_DATA`.
const TOKEN_CHARS_MAX: usize = 50;

/// A shorter one can be guessed, and may be part of a name in a body, where it would be masked. Zoho: Billing takes
/// keys of 12 to 50 characters, Projects of 16 to 128; for Payments, Sign and Webinar no limit is known.
const SECRET_CHARS_MIN: usize = 12;

/// Zoho's record ids have up to 19 digits.
const SECRET_DIGITS_MIN: usize = 20;

const PASSWORD_TOO_SHORT: &str = "the password is too short: it needs 12 characters, or 20 if all are digits; make one with `openssl rand -hex 20`";
const TOO_SHORT: &str = "too short: a secret needs 12 characters, or 20 if all are digits; make one with `openssl rand -hex 20`";

/// How far a signature's timestamp may be from our clock.
const TOLERANCE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);
const TOLERANCE_DEFAULT: Duration = Duration::from_mins(5);

const KNOWN: [&str; 7] = [
    "token",
    "header",
    "query",
    "bearer",
    "basic",
    "hmac",
    "allow_from",
];

/// `None` when there is a problem; an empty proof only for `verify: none`.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node, kind: Kind) -> Option<Proof> {
    if says_none(node) {
        reader.text(node, "none")?;
        return Some(Proof::default());
    }
    let Value::Map(_) = &node.value else {
        reader.wrong_type(
            node,
            &format!("none, or a mapping with {}", KNOWN.join(", ")),
        );
        return None;
    };
    let before = reader.errors();
    let fields = reader.fields(node, &KNOWN, &[]);
    fitting(reader, &fields, kind);
    let proof = listed(reader, &fields);
    if asks_nothing(&proof) && reader.errors() == before {
        reader.error_hint(
            node,
            "this lets anybody in",
            "list a proof, or write `verify: none` where that is meant",
        );
    }
    Some(proof)
}

fn listed(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Proof {
    let mut secrets = |key: &str, check: fn(&str) -> Result<(), &'static str>| {
        fields
            .get(key)
            .map_or(vec![], |it| reader.secrets(it, check))
    };
    let token = secrets("token", |text| {
        let fits = text.chars().count() <= TOKEN_CHARS_MAX;
        fits.then_some(())
            .ok_or("Zoho takes tokens of 50 characters at most")?;
        long_enough(text)
    });
    let bearer = secrets("bearer", long_enough);
    let basic = secrets("basic", |text| {
        let (_, password) = text.split_once(':').ok_or("expected user:password")?;
        long_enough(password).or(Err(PASSWORD_TOO_SHORT))
    });
    Proof {
        token,
        headers: fields
            .get("header")
            .map_or(vec![], |it| headers(reader, it)),
        query: fields
            .get("query")
            .map_or(vec![], |it| parameters(reader, it)),
        bearer,
        basic,
        hmac: fields.get("hmac").and_then(|it| hmac(reader, it)),
        allow_from: fields
            .get("allow_from")
            .map_or(vec![], |it| reader.networks(it)),
    }
}

fn long_enough(secret: &str) -> Result<(), &'static str> {
    let min = if secret.bytes().all(|it| it.is_ascii_digit()) {
        SECRET_DIGITS_MIN
    } else {
        SECRET_CHARS_MIN
    };
    let fits = secret.chars().count() >= min;
    fits.then_some(()).ok_or(TOO_SHORT)
}

fn asks_nothing(proof: &Proof) -> bool {
    proof.token.is_empty()
        && proof.headers.is_empty()
        && proof.query.is_empty()
        && proof.bearer.is_empty()
        && proof.basic.is_empty()
        && proof.hmac.is_none()
        && proof.allow_from.is_empty()
}

fn says_none(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar(it) if it.text == "none")
}

/// What the kind of callback can carry at all.
fn fitting(reader: &mut Reader<'_>, fields: &Fields<'_>, kind: Kind) {
    match kind {
        Kind::Watch => {
            for key in ["header", "bearer", "basic", "hmac"] {
                if let Some(node) = fields.get(key) {
                    reader.warning(
                        node,
                        format!(
                            "Zoho cannot send `{key}` with watch callbacks: all would be refused"
                        ),
                        "use `token` and `query`, unless a proxy in front adds it",
                    );
                }
            }
        }
        Kind::Workflow | Kind::Generic => {
            if let Some(node) = fields.get("token") {
                reader.error_hint(
                    node,
                    "`token` is what watch callbacks carry; others have none",
                    "use `header`, `query`, `bearer`, `basic` or `hmac`",
                );
            }
        }
    }
    let secret = ["token", "header", "query", "bearer", "basic", "hmac"];
    if let Some(node) = fields.get("allow_from")
        && !secret.iter().any(|it| fields.has(it))
    {
        reader.warning(
            node,
            "an address alone is no secret: others may call from it too",
            "add a secret proof",
        );
    }
}

type Named = Vec<(String, Vec<secrecy::SecretString>)>;

fn headers(reader: &mut Reader<'_>, node: &Node) -> Named {
    let mut named = vec![];
    for entry in reader.entries(node, "secrets by header name") {
        let secrets = reader.secrets(&entry.node, long_enough);
        if let Ok(name) = HeaderName::try_from(entry.key.as_str()) {
            named.push((name.as_str().to_owned(), secrets));
        } else {
            let message = format!("`{}` cannot be a header's name", entry.key);
            reader.error_at(entry.key_span.clone(), &entry.node.path, message, None);
        }
    }
    named
}

fn parameters(reader: &mut Reader<'_>, node: &Node) -> Named {
    reader
        .entries(node, "secrets by parameter name")
        .iter()
        .map(|it| (it.key.clone(), reader.secrets(&it.node, long_enough)))
        .collect()
}

const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("md5", Algorithm::Md5),
    ("sha1", Algorithm::Sha1),
    ("sha256", Algorithm::Sha256),
    ("sha512", Algorithm::Sha512),
];

const ENCODINGS: [(&str, Encoding); 3] = [
    ("hex", Encoding::Hex),
    ("base64", Encoding::Base64),
    ("either", Encoding::Either),
];

const SIGNED: [(&str, Signed); 3] = [
    ("body", Signed::Body),
    ("timestamp.body", Signed::TimestampDotBody),
    ("parameters+body", Signed::SortedParametersThenBody),
];

fn hmac(reader: &mut Reader<'_>, node: &Node) -> Option<Hmac> {
    let known = [
        "preset",
        "header",
        "algorithm",
        "encoding",
        "signed",
        "tolerance",
        "secret",
    ];
    let fields = reader.fields(node, &known, &[]);
    let secret = reader
        .required(&fields, "secret", "the key that the sender signs with")
        .map(|it| reader.secrets(it, long_enough));
    let mut hmac = match fields.get("preset") {
        Some(preset) => by_preset(reader, &fields, preset)?,
        None => by_hand(reader, &fields)?,
    };
    hmac.tolerance = tolerance(reader, &fields, hmac.signed);
    hmac.secret = secret?;
    Some(hmac)
}

fn by_preset(reader: &mut Reader<'_>, fields: &Fields<'_>, preset: &Node) -> Option<Hmac> {
    let preset = reader.word(preset, &Preset::ALL.map(|it| (it.as_str(), it)))?;
    for key in ["header", "algorithm", "encoding", "signed"] {
        if let Some(node) = fields.get(key) {
            reader.error_hint(
                node,
                format!("the preset already says `{key}`"),
                "take one of the two away",
            );
        }
    }
    Some(preset.with_secret(vec![]))
}

fn by_hand(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Hmac> {
    let hint = "give `preset`, or the name of the header that carries the signature";
    let header = reader.required(fields, "header", hint).and_then(|it| {
        reader.parsed(it, "a header's name", |text| {
            HeaderName::try_from(text).ok()
        })
    });
    let algorithm = fields
        .get("algorithm")
        .map_or(Some(Algorithm::Sha256), |it| reader.word(it, &ALGORITHMS));
    let encoding = fields
        .get("encoding")
        .map_or(Some(Encoding::Hex), |it| reader.word(it, &ENCODINGS));
    let signed = fields
        .get("signed")
        .map_or(Some(Signed::Body), |it| reader.word(it, &SIGNED));
    Some(Hmac {
        header: header?.as_str().to_owned(),
        algorithm: algorithm?,
        encoding: encoding?,
        signed: signed?,
        tolerance: None,
        secret: vec![],
    })
}

fn tolerance(reader: &mut Reader<'_>, fields: &Fields<'_>, signed: Signed) -> Option<Duration> {
    match (fields.get("tolerance"), signed) {
        (None, Signed::TimestampDotBody) => Some(TOLERANCE_DEFAULT),
        (Some(node), Signed::TimestampDotBody) => reader.duration(node, &TOLERANCE),
        (None, Signed::Body | Signed::SortedParametersThenBody) => None,
        (Some(node), Signed::Body | Signed::SortedParametersThenBody) => {
            reader.error_hint(
                node,
                "these signatures carry no time",
                "`tolerance` is for `signed: timestamp.body`",
            );
            None
        }
    }
}
