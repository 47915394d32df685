//! Plans as files: JSON lines, with a head, an entry a letter, and an end that seals them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::verdict::{Foreseen, Verdict};
use crate::escalation::{Code, ConversationId, DeadLetterId, IncidentId};

/// The version that this program writes and reads.
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// When it was begun.
    pub made_at: Timestamp,
    /// By whom.
    pub by: String,
    /// Which letters, in words.
    pub what: String,
}

/// A letter of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The letter.
    pub letter: DeadLetterId,
    /// Its incident, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Its conversation, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// Of what it died.
    pub died_of: Code,
    /// What a replay would do.
    #[serde(flatten)]
    pub foreseen: Foreseen,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Plan {
        version: u32,
        #[serde(flatten)]
        head: Head,
    },
    Entry(Planned),
    End {
        #[serde(flatten)]
        counts: Counts,
        sha256: String,
    },
}

/// How many letters would fare how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Would go on.
    pub resumes: u64,
    /// Are done, or have nothing to do.
    pub nothing: u64,
    /// Would be refused.
    pub refused: u64,
    /// Cannot be found out now.
    pub unknown: u64,
}

impl Counts {
    /// Counts one more.
    pub fn count(&mut self, verdict: &Verdict) {
        *match verdict {
            Verdict::Resumes { .. } => &mut self.resumes,
            Verdict::Nothing => &mut self.nothing,
            Verdict::Refused { .. } => &mut self.refused,
            Verdict::Unknown => &mut self.unknown,
        } += 1;
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.resumes + self.nothing + self.refused + self.unknown
    }
}

/// Writes a plan, line by line.
#[derive(Debug, Default)]
pub struct Writer {
    hash: Sha256,
    counts: Counts,
}

impl Writer {
    /// Begins one: the first line.
    ///
    /// # Errors
    /// None in practice.
    pub fn head(&mut self, head: Head) -> Result<String, serde_json::Error> {
        let version = VERSION;
        self.line(&Line::Plan { version, head })
    }

    /// The line of a letter.
    ///
    /// # Errors
    /// None in practice.
    pub fn entry(&mut self, planned: Planned) -> Result<String, serde_json::Error> {
        self.counts.count(&planned.foreseen.verdict);
        self.line(&Line::Entry(planned))
    }

    /// The last line, and what there is in the plan.
    ///
    /// # Errors
    /// None in practice.
    pub fn end(self) -> Result<(String, Counts), serde_json::Error> {
        let counts = self.counts;
        let sha256 = hex::encode(self.hash.finalize());
        let mut text = serde_json::to_string(&Line::End { counts, sha256 })?;
        text.push('\n');
        Ok((text, counts))
    }

    fn line(&mut self, line: &Line) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.hash.update(text.as_bytes());
        Ok(text)
    }
}

/// A plan that was read, whole and as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its head.
    pub head: Head,
    /// Its letters.
    pub entries: Vec<Planned>,
}

/// Why a file is no plan.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A line of it is none of a plan's.
    #[error(
        "line {0} is not a plan's: {1}; make a new one with `escalator dead-letters plan --out FILE`"
    )]
    Line(usize, String),
    /// Another version.
    #[error("it has version {0}, this program reads {VERSION}: make a new plan")]
    Version(u32),
    /// It has no end.
    #[error("it has no end: the plan was cut off, or was not finished; make a new one")]
    CutOff,
    /// It was changed.
    #[error(
        "it is not as it was written (its hash differs): make a new plan instead of changing one"
    )]
    Changed,
}

impl Plan {
    /// Which letters a replay of it is about, in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Head { made_at, by, what } = &self.head;
        format!("plan of {made_at:.0} by {by}: {what}")
    }

    /// Reads one.
    ///
    /// # Errors
    /// Why it is none.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let mut hash = Sha256::new();
        let (mut head, mut entries) = (None, Vec::new());
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let at = |why: String| Unreadable::Line(number + 1, why);
            let read: Line = serde_json::from_str(line).map_err(|e| at(e.to_string()))?;
            match (read, &head) {
                (Line::Plan { version, .. }, None) if version != VERSION => {
                    return Err(Unreadable::Version(version));
                }
                (Line::Plan { head: first, .. }, None) => head = Some(first),
                (Line::Entry(planned), Some(_)) => entries.push(planned),
                (Line::End { counts, sha256 }, Some(first)) => {
                    let as_written = sha256 == hex::encode(hash.finalize());
                    if !as_written || counts.all() != entries.len() as u64 {
                        return Err(Unreadable::Changed);
                    }
                    return Ok(Self {
                        head: first.clone(),
                        entries,
                    });
                }
                (Line::Plan { .. }, Some(_)) => return Err(at("a second head".to_owned())),
                (Line::Entry(_) | Line::End { .. }, None) => {
                    return Err(at("there is no head".to_owned()));
                }
            }
            hash.update(line.as_bytes());
        }
        Err(Unreadable::CutOff)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::escalation::Step;

    fn plan() -> String {
        let mut writer = Writer::default();
        let mut text = writer
            .head(Head {
                made_at: "2026-11-20T03:00:00Z".parse().unwrap(),
                by: "alex".to_owned(),
                what: "all".to_owned(),
            })
            .unwrap();
        for digit in ["0", "1"] {
            let planned = Planned {
                letter: DeadLetterId::parse(&format!("dl-{}", digit.repeat(16))).unwrap(),
                incident: IncidentId::parse("Q1").ok(),
                conversation: None,
                died_of: Code::NoAlert,
                foreseen: Foreseen::resumes(Step::Session, "it would go on"),
            };
            text.push_str(&writer.entry(planned).unwrap());
        }
        let (end, counts) = writer.end().unwrap();
        assert_eq!((counts.resumes, counts.all()), (2, 2));
        text + &end
    }

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let text = plan();
        let read = Plan::read(&text).unwrap();
        assert_eq!((read.entries.len(), read.head.by.as_str()), (2, "alex"));
        assert_eq!(
            text.lines().nth(1).unwrap(),
            r#"{"type":"entry","letter":"dl-0000000000000000","incident":"Q1","died_of":"no_alert","verdict":"resumes","at":"session","because":"it would go on"}"#
        );
    }

    #[test]
    fn one_that_was_changed_or_cut_off_is_none() {
        let text = plan();
        let changed = text.replace("session", "note");
        assert!(matches!(Plan::read(&changed), Err(Unreadable::Changed)));
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        let without_one = [lines[0], lines[1], lines[3]].concat();
        assert!(matches!(Plan::read(&without_one), Err(Unreadable::Changed)));
        for count in 0..lines.len() {
            let cut = lines[..count].concat();
            assert!(
                matches!(Plan::read(&cut), Err(Unreadable::CutOff)),
                "{count}"
            );
        }
        let newer = text.replace(r#""version":1"#, r#""version":2"#);
        assert!(matches!(Plan::read(&newer), Err(Unreadable::Version(2))));
        assert!(matches!(Plan::read("[]\n"), Err(Unreadable::Line(1, _))));
        assert!(matches!(Plan::read(lines[1]), Err(Unreadable::Line(1, _))));
    }
}
