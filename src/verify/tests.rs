//! What is believed and what is not.

use http::{HeaderName, HeaderValue};

use super::*;
use crate::event::Method;

/// A request and what is asked of it.
struct Case {
    proof: Proof,
    headers: HeaderMap,
    query: String,
    body: Bytes,
    peer: IpAddr,
}

fn case(proof: Proof) -> Case {
    Case {
        proof,
        headers: HeaderMap::new(),
        query: String::new(),
        body: Bytes::new(),
        peer: [192, 0, 2, 7].into(),
    }
}

impl Case {
    fn body(mut self, body: &str) -> Self {
        self.body = Bytes::copy_from_slice(body.as_bytes());
        self
    }

    fn query(mut self, query: &str) -> Self {
        self.query = query.to_owned();
        self
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
        self
    }

    fn peer(mut self, peer: &str) -> Self {
        self.peer = peer.parse().unwrap();
        self
    }

    fn notification(&self) -> Result<Notification, Refusal> {
        let content_type = self.headers.get("content-type");
        let content_type = content_type.and_then(|it| it.to_str().ok());
        self.verify(Body::of_request(&self.body, content_type, &self.query))
    }

    fn head(&self) -> Result<(), Refusal> {
        Verifier::new(self.proof.clone()).verify_head(self.peer, &self.headers, &self.query)
    }

    fn verify(&self, body: Result<Body, Undecodable>) -> Result<Notification, Refusal> {
        let raw = RawNotification {
            source: &SourceName::new("crm"),
            method: Method::Post,
            headers: &self.headers,
            query: &self.query,
            body: self.body.clone(),
            peer: self.peer,
            received_at: Timestamp::from_second(1_700_000_000).unwrap(),
        };
        Verifier::new(self.proof.clone()).verify(&raw, body)
    }

    #[track_caller]
    fn check(&self, expected: Result<(), Refusal>) {
        assert_eq!(self.notification().map(|_| ()), expected);
    }

    fn undecodable(&self, why: Undecodable) -> Result<(), Refusal> {
        self.verify(Err(why)).map(|_| ())
    }
}

fn secrets(values: &[&str]) -> Vec<SecretString> {
    values.iter().map(|it| SecretString::from(*it)).collect()
}

fn named(name: &str, values: &[&str]) -> Vec<(String, Vec<SecretString>)> {
    vec![(name.to_owned(), secrets(values))]
}

fn token() -> Proof {
    Proof {
        token: secrets(&["old-token", "1234567"]),
        ..Proof::default()
    }
}

fn query() -> Proof {
    Proof {
        query: named("k", &["key one", "key-two"]),
        ..Proof::default()
    }
}

fn signed_by(preset: Preset, secret: &str) -> Proof {
    Proof {
        hmac: Some(preset.with_secret(secrets(&["another", secret]))),
        ..Proof::default()
    }
}

#[test]
fn nothing_asked_is_nothing_refused() {
    case(Proof::default()).check(Ok(()));
}

#[test]
fn a_token_is_a_text_or_a_number_and_any_listed_one() {
    let check = |body, expected| case(token()).body(body).check(expected);
    check(r#"{"token":"old-token"}"#, Ok(()));
    check(r#"{"token":"1234567"}"#, Ok(()));
    check(r#"{"token":1234567}"#, Ok(()));
    check("token=old-token&a=1", Ok(()));
    check(r#"{"token":"old-toke"}"#, Err(Refusal::WrongToken));
    check(r#"{"token":""}"#, Err(Refusal::WrongToken));
    check(r#"{"token":["old-token"]}"#, Err(Refusal::WrongToken));
    check(r#"{"token":null}"#, Err(Refusal::NoToken));
    check(r#"{"a":{"token":"old-token"}}"#, Err(Refusal::NoToken));
    check(r#"["old-token"]"#, Err(Refusal::NoToken));
    check("old-token", Err(Refusal::NoToken));
    check("", Err(Refusal::NoToken));
}

#[test]
fn a_null_token_passes_only_for_a_delete_with_another_secret_proof() {
    let both = || Proof {
        query: query().query,
        ..token()
    };
    let delete = r#"{"operation":"delete","token":null}"#;
    case(both()).query("k=key-two").body(delete).check(Ok(()));
    case(both())
        .query("k=key-two")
        .body(r#"{"operation":"Delete"}"#)
        .check(Ok(()));
    case(both())
        .query("k=wrong")
        .body(delete)
        .check(Err(Refusal::WrongQuery));
    case(both())
        .query("k=key-two")
        .body(r#"{"operation":"update","token":null}"#)
        .check(Err(Refusal::NoToken));
    case(both())
        .query("k=key-two")
        .body(r#"{"operation":"delete","token":"wrong"}"#)
        .check(Err(Refusal::WrongToken));
    case(token()).body(delete).check(Err(Refusal::NoToken));
    let address_is_no_secret = Proof {
        allow_from: vec!["192.0.2.0/24".parse().unwrap()],
        ..token()
    };
    case(address_is_no_secret)
        .body(delete)
        .check(Err(Refusal::NoToken));
}

#[test]
fn a_query_proof_is_in_the_request_line_or_else_in_query_params() {
    case(query()).query("a=1&k=key+one").check(Ok(()));
    case(query()).query("k=key%20one").body("x").check(Ok(()));
    case(query())
        .body(r#"{"query_params":{"k":"key-two"}}"#)
        .check(Ok(()));
    case(query())
        .query("k=wrong")
        .body(r#"{"query_params":{"k":"key-two"}}"#)
        .check(Err(Refusal::WrongQuery));
    case(query())
        .body(r#"{"query_params":{"k":"wrong"}}"#)
        .check(Err(Refusal::WrongQuery));
    case(query())
        .body(r#"{"query_params":[],"k":"key-two"}"#)
        .check(Err(Refusal::MissingQuery));
    case(query()).check(Err(Refusal::MissingQuery));
}

#[test]
fn headers_bearer_and_basic() {
    let header = || Proof {
        headers: named("x-zohook-secret", &["one", "two"]),
        ..Proof::default()
    };
    case(header())
        .header("x-zohook-secret", "two")
        .check(Ok(()));
    case(header())
        .header("x-zohook-secret", "three")
        .check(Err(Refusal::WrongHeader));
    case(header()).check(Err(Refusal::MissingHeader));

    let bearer = || Proof {
        bearer: secrets(&["b"]),
        ..Proof::default()
    };
    case(bearer())
        .header("authorization", "bearer  b")
        .check(Ok(()));
    case(bearer())
        .header("authorization", "Bearer B")
        .check(Err(Refusal::WrongBearer));
    case(bearer())
        .header("authorization", "Basic b")
        .check(Err(Refusal::MissingBearer));

    let basic = || Proof {
        basic: secrets(&["user:pass"]),
        ..Proof::default()
    };
    case(basic())
        .header("authorization", "Basic dXNlcjpwYXNz")
        .check(Ok(()));
    case(basic())
        .header("authorization", "Basic ???")
        .check(Err(Refusal::WrongBasic));
    case(basic()).check(Err(Refusal::MissingBasic));
}

#[test]
fn addresses_match_in_either_family() {
    let allow = |network: &str| Proof {
        allow_from: vec![network.parse().unwrap()],
        ..Proof::default()
    };
    let no = Err(Refusal::AddressNotAllowed);
    for (network, peer, expected) in [
        ("203.0.113.0/24", "203.0.113.9", Ok(())),
        ("203.0.113.0/24", "::ffff:203.0.113.9", Ok(())),
        ("203.0.113.0/24", "203.0.114.9", no),
        ("203.0.113.0/24", "2001:db8::1", no),
        ("2001:db8::/32", "2001:db8::1", Ok(())),
        ("2001:db8::/32", "2001:db9::1", no),
        ("::ffff:203.0.113.0/120", "203.0.113.9", Ok(())),
        ("::ffff:203.0.113.0/120", "203.0.114.9", no),
        ("::/0", "203.0.113.9", no),
        ("0.0.0.0/0", "203.0.113.9", Ok(())),
    ] {
        case(allow(network)).peer(peer).check(expected);
    }
}

#[test]
fn zoho_billing_signs_sorted_parameters_then_the_json() {
    // Zoho publishes this string and no signature; that of it was made with OpenSSL.
    let body = r#"{"created_date":"2019-03-06","event_id":"5675"}"#;
    let signature = "e26ab980f15187807121de79eef36d994773c13bbba70d9c821ab3d6517a2ce4";
    let signed = || {
        case(signed_by(Preset::ZohoBilling, "abcdef123456"))
            .query("subscription_id=90343&name=basic")
            .header("x-zoho-webhook-signature", signature)
    };
    signed().body(body).check(Ok(()));
    signed().body("{}").check(Err(Refusal::WrongSignature));
}

#[test]
fn zoho_billing_decodes_forms_before_it_signs_them() {
    let signature = "1E89D2196FF4CAE37061CE332824744C25FAB4187DCDBB7745626458E145C02B";
    case(signed_by(Preset::ZohoBilling, "abcdef123456"))
        .query("b=%32")
        .body("%61=1")
        .header("x-zoho-webhook-signature", signature)
        .check(Ok(()));
    case(signed_by(Preset::ZohoBilling, "abcdef123456"))
        .query("b=%32&a=1")
        .header("x-zoho-webhook-signature", signature)
        .check(Ok(()));
}

#[test]
fn zoho_payments_signs_its_time() {
    let signed = |header: &str| {
        case(signed_by(Preset::ZohoPayments, "abcdef123456"))
            .body(r#"{"x":1}"#)
            .header("x-zoho-webhook-signature", header)
    };
    let v = "44dbc4f7db28688e96768a0200aa6119a875c9056f4ad58e9ad5f82741aa95ac";
    signed(&format!("t=1699999990000,v={v}")).check(Ok(()));
    signed(&format!("v={v}, t=1699999990000")).check(Ok(()));
    signed(&format!("t=1699999990001,v={v}")).check(Err(Refusal::WrongSignature));
    signed(&format!("t=1699999600000,v={v}")).check(Err(Refusal::StaleSignature));
    signed(&format!("t=1700000400000,v={v}")).check(Err(Refusal::StaleSignature));
    signed(&format!("t=now,v={v}")).check(Err(Refusal::MalformedSignature));
    signed(v).check(Err(Refusal::MalformedSignature));
}

#[test]
fn signatures_over_the_body_in_every_algorithm_and_encoding() {
    let sha256 = "bff2708f3858586da10e5ce8c2b8eb714d32b02e1f32ac9de7ba1029476366ea";
    let base64 = "v/JwjzhYWG2hDlzowrjrcU0ysC4fMqyd57oQKUdjZuo";
    let sha512 = "b4fd46e2252dea27cadb626546c716e67dc6a07ac306b0308a30380e38fc9eae\
        1ca61f3790a3cbffafe130da47ac727c995c361295c71274dd9c34d9cd9bc96d";
    let sign = |algorithm, encoding, given: &str| {
        let hmac = Hmac {
            header: "x-signature".to_owned(),
            algorithm,
            encoding,
            signed: Signed::Body,
            tolerance: None,
            secret: secrets(&["abcdef123456"]),
        };
        let proof = Proof {
            hmac: Some(hmac),
            ..Proof::default()
        };
        case(proof).body(r#"{"x":1}"#).header("x-signature", given)
    };
    let ok = |algorithm, encoding, given: &str| sign(algorithm, encoding, given).check(Ok(()));
    ok(Algorithm::Sha256, Encoding::Hex, sha256);
    ok(Algorithm::Sha256, Encoding::Hex, &sha256.to_uppercase());
    ok(
        Algorithm::Sha256,
        Encoding::Hex,
        &format!("sha256={sha256}"),
    );
    ok(Algorithm::Sha256, Encoding::Base64, base64);
    ok(Algorithm::Sha256, Encoding::Base64, &format!("{base64}="));
    ok(Algorithm::Sha256, Encoding::Either, sha256);
    ok(Algorithm::Sha256, Encoding::Either, base64);
    ok(Algorithm::Sha512, Encoding::Hex, sha512);
    ok(
        Algorithm::Sha1,
        Encoding::Hex,
        "4690d7656f314aa2901d93d15d595bee709a8510",
    );
    ok(
        Algorithm::Md5,
        Encoding::Hex,
        "5fc41fe4d6d21c712d4f330945f4fb24",
    );

    let refused = |encoding, given: &str, why| {
        sign(Algorithm::Sha256, encoding, given).check(Err(why));
    };
    refused(Encoding::Base64, sha256, Refusal::WrongSignature);
    refused(Encoding::Hex, base64, Refusal::MalformedSignature);
    refused(Encoding::Hex, "", Refusal::MalformedSignature);
    refused(Encoding::Either, "\u{e9}", Refusal::MalformedSignature);
    refused(Encoding::Hex, "ff", Refusal::WrongSignature);
    case(signed_by(Preset::ZohoSign, "x")).check(Err(Refusal::MissingSignature));
}

/// An empty body is read from the query, so a signature of the body alone proves nothing that is read.
#[test]
fn a_signature_that_covers_no_query_proves_none() {
    let signed = |preset, header, signature: &str| {
        case(signed_by(preset, "abcdef123456")).header(header, signature)
    };
    let of_body = || {
        let signature = "fonsn/fp4DBvr8GKBL9f9eMJ9E1PjFiiraL7ANKOIGY=";
        signed(Preset::ZohoSign, "x-zs-webhook-signature", signature)
    };
    of_body().check(Ok(()));
    of_body().query("id=1").check(Err(Refusal::WrongSignature));
    let of_time_and_body = || {
        let v = "212ca35cbda5f2e95e48dc25872b50702b034b872b63136b14261f7290e90eb2";
        let header = format!("t=1699999990000,v={v}");
        signed(Preset::ZohoPayments, "x-zoho-webhook-signature", &header)
    };
    of_time_and_body().check(Ok(()));
    of_time_and_body()
        .query("id=1")
        .check(Err(Refusal::WrongSignature));
    // A body that is there is read, and not the query.
    case(signed_by(Preset::ZohoSign, "abcdef123456"))
        .body(r#"{"x":1}"#)
        .query("id=1")
        .header(
            "x-zs-webhook-signature",
            "v/JwjzhYWG2hDlzowrjrcU0ysC4fMqyd57oQKUdjZuo=",
        )
        .check(Ok(()));
}

#[test]
fn each_preset_has_a_word_of_its_own() {
    for preset in Preset::ALL {
        assert_eq!(Preset::parse(preset.as_str()), Some(preset));
    }
    assert_eq!(Preset::parse("zoho-desk"), None);
}

#[test]
fn an_undecodable_body_is_refused_only_where_the_proof_lies_in_it() {
    let no = Err(Refusal::Undecodable);
    let shape = Undecodable::NotUtf8;
    assert_eq!(case(Proof::default()).undecodable(shape), Ok(()));
    assert_eq!(case(token()).undecodable(shape), no);
    assert_eq!(case(query()).undecodable(shape), no);
    let in_line = case(query()).query("k=key-two");
    assert_eq!(in_line.undecodable(shape), Ok(()));

    let signature = "v/JwjzhYWG2hDlzowrjrcU0ysC4fMqyd57oQKUdjZuo=";
    let signed = case(signed_by(Preset::ZohoSign, "abcdef123456"))
        .body(r#"{"x":1}"#)
        .header("x-zs-webhook-signature", signature);
    assert_eq!(signed.undecodable(shape), Ok(()));
    assert_eq!(signed.undecodable(Undecodable::Encoding), no);

    let mut both = token();
    both.bearer = secrets(&["b"]);
    assert_eq!(case(both).undecodable(shape), Err(Refusal::MissingBearer));
}

#[test]
fn nothing_proven_is_kept() {
    let mut proof = token();
    proof.query = query().query;
    let sent = r#"{"token":"old-token","query_params":{"k":"key one"},"ids":["1"]}"#;
    let notification = case(proof).body(sent).notification().unwrap();
    let stored = r#"{"ids":["1"],"query_params":{"k":"***"},"token":"***"}"#;
    assert_eq!(notification.stored(), stored);
    assert_eq!(
        Body::parse(notification.stored(), None).as_ref(),
        notification.body().as_ref().copied()
    );
}

#[test]
fn a_query_read_as_body_is_kept_masked() {
    let notification = case(query())
        .query("k=key%20one&lead=1&flag")
        .notification();
    assert_eq!(notification.unwrap().stored(), "k=***&lead=1&flag=");
}

#[test]
fn the_head_alone_refuses_only_what_is_refused_with_any_body() {
    let proof = Proof {
        query: ["a", "b"]
            .map(|it| (it.to_owned(), vec![it.repeat(12).into()]))
            .into(),
        bearer: vec!["bearer-secret".into()],
        token: vec!["token-secret".into()],
        allow_from: vec!["192.0.2.0/24".parse().unwrap()],
        ..Proof::default()
    };
    let with = |query: &str| {
        case(proof.clone())
            .query(query)
            .header("authorization", "bearer bearer-secret")
    };
    let right = "a=aaaaaaaaaaaa&b=bbbbbbbbbbbb";
    for told in ["", "a=aaaaaaaaaaaa", "b=bbbbbbbbbbbb", right] {
        assert_eq!(with(told).head(), Ok(()), "{told}");
    }
    // It says of `a` first that it is missing, and that only the body tells.
    assert_eq!(with("b=wrong").head(), Ok(()));
    for (case, refusal) in [
        (with("a=wrong"), Refusal::WrongQuery),
        (with("a=aaaaaaaaaaaa&b=wrong"), Refusal::WrongQuery),
        (with(right).peer("198.51.100.1"), Refusal::AddressNotAllowed),
        (case(proof.clone()).query(right), Refusal::MissingBearer),
    ] {
        assert_eq!(case.head(), Err(refusal));
        for body in [
            "",
            r#"{"query_params":{"a":"aaaaaaaaaaaa"},"token":"token-secret"}"#,
        ] {
            assert_eq!(case_of(&case, body), Err(refusal));
        }
    }
}

fn case_of(case: &Case, body: &str) -> Result<(), Refusal> {
    let body = Body::parse(&Bytes::copy_from_slice(body.as_bytes()), None);
    case.verify(body).map(|_| ())
}
