//! Pure: what Zato says of an error, without what differs each time.

use serde_json::Value;

/// What Zato says of an error: the end of a traceback, which comes before what it says of itself.
pub(super) fn cause(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let details = match &body["details"] {
        Value::Array(lines) => lines.first(),
        details => Some(details),
    };
    let details = details.and_then(Value::as_str).unwrap_or_default();
    let (traceback, _) = details.split_once("··· Context").unwrap_or((details, ""));
    // The database library adds a line of its own.
    let is_cause = |line: &&str| !line.trim().is_empty() && !line.contains("(Background on this error");
    let last = traceback.lines().rev().find(is_cause);
    let text: String = without_addresses(last.unwrap_or_default().trim())
        .chars()
        .take(300)
        .collect();
    if text.is_empty() {
        text
    } else {
        format!(": {text}")
    }
}

/// Without places in memory: those differ each time, and what is told twice must be the same.
fn without_addresses(text: &str) -> String {
    let mut parts = text.split(" at 0x");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        result += part.trim_start_matches(|character: char| character.is_ascii_hexdigit());
    }
    without_request(&result)
}

/// Without the number of the request, for the same reason.
fn without_request(text: &str) -> String {
    let Some((before, after)) = text.split_once("cid:`") else {
        return text.to_owned();
    };
    let rest = after.trim_start_matches(|character: char| character.is_ascii_hexdigit());
    rest.strip_prefix("`, ")
        .map_or_else(|| text.to_owned(), |rest| format!("{before}{rest}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As Zato 3.2 tells them, its account of itself included.
    #[test]
    fn the_cause_of_an_error_is_found() {
        let body = |details: Value| json!({"result": "Error", "cid": "1", "details": details}).to_string();
        let long = "··· Error ···\n\n>>> Exception: 'x'\n  File a\nException: Such a channel already exists\n\n··· Context ···\n\nserver1\n";
        assert_eq!(
            cause(&body(long.into())),
            ": Exception: Such a channel already exists"
        );
        assert_eq!(
            cause(&body("Element missing: id".into())),
            ": Element missing: id"
        );
        assert_eq!(
            cause(&body(json!(["An error has occurred"]))),
            ": An error has occurred"
        );
        assert_eq!((cause(""), cause("{}")), (String::new(), String::new()));
        let missing = "ServiceMissingException: <ServiceMissingException at 0x7f1d104f35e0 cid:`Service `a` does not exist";
        assert_eq!(
            cause(&body(missing.into())),
            ": ServiceMissingException: <ServiceMissingException cid:`Service `a` does not exist"
        );
        let exists = "zato.common.exception.ZatoException: <ZatoException at 0x7f4db1c52380 cid:`92e65`, msg:`Job `a` already exists on this cluster`>";
        assert_eq!(
            cause(&body(exists.into())),
            ": zato.common.exception.ZatoException: <ZatoException msg:`Job `a` already exists on this cluster`>"
        );
        assert_eq!(cause(&body("x".repeat(1000).into())).len(), 302);
    }
}
