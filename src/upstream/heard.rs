//! By which id the last answer can be found again, for the line of the history that tells of it.
//!
//! It goes beside the results, not in them: a result is the domain's own, and not one decision depends on it.

use std::cell::RefCell;

tokio::task_local! {
    static HEARD: RefCell<Option<String>>;
}

/// Does some work, and remembers the id of the last answer in it for [`heard`]. Cancel-safe if the work is.
pub async fn listening<T>(work: impl Future<Output = T>) -> T {
    HEARD.scope(RefCell::default(), work).await
}

/// The id of the last answer so far; nothing where nobody listens, or nothing was answered.
#[must_use]
pub fn heard() -> Option<String> {
    HEARD
        .try_with(|heard| heard.borrow().clone())
        .ok()
        .flatten()
}

/// An answer has come.
pub(super) fn hear(correlation: Option<&str>) {
    // Nobody listens in `check`.
    let _ = HEARD.try_with(|heard| heard.replace(correlation.map(str::to_owned)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_answer_is_heard_where_somebody_listens_and_nowhere_else() {
        hear(Some("nobody listens"));
        assert_eq!(heard(), None);
        listening(async {
            assert_eq!(heard(), None);
            hear(Some("one"));
            hear(Some("two"));
            assert_eq!(heard().as_deref(), Some("two"));
            listening(async { assert_eq!(heard(), None) }).await;
            hear(None);
            assert_eq!(heard(), None);
        })
        .await;
    }
}
