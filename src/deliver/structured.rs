//! CloudEvents structured mode: attributes and data as one JSON object.

use serde_json::value::RawValue;

use super::{DeliverError, error::unrenderable};
use crate::event::Message;

/// One line of JSON: the attributes in their fixed order, `datacontenttype`, then `data`: JSON byte for byte (line
/// breaks between its tokens aside), anything else as a JSON string. The same message always gives the same bytes.
///
/// # Errors
/// [`DeliverError::Message`] when the data is not what its content type says.
pub fn structured(message: &Message) -> Result<String, DeliverError> {
    let mut out = String::with_capacity(message.data.len() + 512);
    out.push('{');
    for (name, value) in message.attributes.pairs() {
        push_text(&mut out, name)?;
        out.push(':');
        push_text(&mut out, value)?;
        out.push(',');
    }
    out.push_str("\"datacontenttype\":");
    push_text(&mut out, &message.content_type)?;
    out.push_str(",\"data\":");
    if is_json(&message.content_type) {
        let raw: &RawValue = serde_json::from_slice(&message.data).map_err(|error| {
            unrenderable(format!("the data is not JSON: {:?}", error.classify()))
        })?;
        if raw.get().contains(['\n', '\r']) {
            // In valid JSON a bare line break can only stand between tokens.
            out.extend(
                raw.get()
                    .chars()
                    .map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }),
            );
        } else {
            out.push_str(raw.get());
        }
    } else {
        let text = str::from_utf8(&message.data)
            .map_err(|error| unrenderable(format!("the data is not UTF-8: {error}")))?;
        push_text(&mut out, text)?;
    }
    out.push('}');
    Ok(out)
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence == "application/json" || essence.ends_with("+json")
}

fn push_text(out: &mut String, text: &str) -> Result<(), DeliverError> {
    let quoted = serde_json::to_string(text)
        .map_err(|error| unrenderable(format!("an attribute cannot be written: {error}")))?;
    out.push_str(&quoted);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::sample;

    #[test]
    fn attributes_come_in_their_fixed_order_and_json_data_byte_for_byte() {
        let mut message = sample::message("1");
        message.data = r#"{"b":1.0,"a":[12345678901234567890]}"#.into();
        assert_eq!(
            structured(&message).unwrap(),
            r#"{"specversion":"1.0","id":"1","source":"/zoho/acme/Leads","type":"com.zoho.crm.Leads.updated","time":"2026-11-22T10:00:00.000Z","origin":"notification","subject":"1","sequence":"0000000000000000042","datacontenttype":"application/json","data":{"b":1.0,"a":[12345678901234567890]}}"#
        );
    }

    #[test]
    fn text_is_a_json_string() {
        let mut message = sample::message("1");
        message.content_type = "text/plain; charset=utf-8".to_owned();
        message.data = "a \"deal\"\n".into();
        let line = structured(&message).unwrap();
        assert!(
            line.ends_with(
                r#""datacontenttype":"text/plain; charset=utf-8","data":"a \"deal\"\n"}"#
            ),
            "{line}"
        );
    }

    #[test]
    fn pretty_json_stays_on_one_line() {
        let mut message = sample::message("1");
        message.data = "{\n  \"a\": 1\r\n}".into();
        let line = structured(&message).unwrap();
        assert!(!line.contains('\n'));
        serde_json::from_str::<serde_json::Value>(&line).unwrap();
    }

    #[test]
    fn data_that_is_not_json_is_never_sent() {
        for data in ["", "{", "{}}", "nothing"] {
            let mut message = sample::message("1");
            message.data = data.into();
            assert!(matches!(
                structured(&message),
                Err(DeliverError::Message {
                    attempts_max: Some(0),
                    ..
                })
            ));
        }
    }
}
