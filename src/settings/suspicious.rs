//! Values that are there and yet are none: what a template or a shell left behind.

/// Why `value` cannot be meant, whatever the setting is.
pub(super) fn reason(value: &str) -> Option<&'static str> {
    if value.contains('\u{fffd}') {
        return Some("is not valid UTF-8");
    }
    if value.chars().any(char::is_control) {
        return Some("holds a line break or another control character");
    }
    if value.trim() != value {
        return Some("begins or ends with white space");
    }
    if is_quoted(value) {
        return Some("still has its quotation marks (Docker's --env-file keeps them)");
    }
    let pieces = std::iter::once(value).chain(value.split(','));
    pieces.into_iter().any(is_placeholder).then_some(LEFT_OVER)
}

/// The same for an address, in which any part may have been left behind.
pub(super) fn reason_in_address(value: &str) -> Option<&'static str> {
    let parts = || value.split([':', '/', '@', '?', ',', '&', '=']);
    reason(value).or_else(|| parts().any(is_placeholder).then_some(LEFT_OVER))
}

const LEFT_OVER: &str = "is still a placeholder";

fn is_quoted(value: &str) -> bool {
    value.len() > 1
        && ['"', '\'']
            .iter()
            .any(|mark| value.starts_with(*mark) && value.ends_with(*mark))
}

fn is_placeholder(piece: &str) -> bool {
    let piece = piece.trim();
    let unexpanded = piece.contains("${") || piece.contains("{{");
    let variable = piece.strip_prefix('$').is_some_and(|name| {
        !name.starts_with(|first: char| first.is_ascii_digit())
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    });
    let described = piece.starts_with('<') && piece.ends_with('>');
    let letters: String = piece
        .chars()
        .filter(|c| !matches!(c, '-' | '_' | ' '))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    unexpanded || variable || described || letters == "changeme"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_template_or_a_shell_left_behind_is_recognised() {
        for value in [
            "${TOKEN}",
            "prefix-${TOKEN}",
            "$TOKEN",
            "$token_2",
            "<your client secret>",
            "changeme",
            "CHANGE_ME",
            "change-me",
            "{{ .Values.token }}",
            "real,$OTHER",
            "\"quoted\"",
            "'quoted'",
            " spaced",
            "two\nlines",
            "bytes\u{fffd}",
        ] {
            assert!(reason(value).is_some(), "{value:?}");
        }
        for value in [
            "amqp://me:$PASS@host",
            "https://<host>/",
            "amqp://changeme@host/%2f",
        ] {
            assert!(reason_in_address(value).is_some(), "{value:?}");
        }
    }

    #[test]
    fn real_values_pass() {
        for value in [
            "a$b",
            "$",
            "$1abc",
            "y_NbAkKc66ryYTWUXYEu",
            "p<q>r",
            "exchange me",
            "",
        ] {
            assert_eq!(reason(value), None, "{value:?}");
        }
        assert_eq!(
            reason_in_address("amqp://guest:pa$$@127.0.0.1:5672/%2f"),
            None
        );
    }
}
