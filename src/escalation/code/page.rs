//! The page of a code: what somebody reads at 3 am who has only the code.

use super::Code;
use super::pages;

/// What becomes of the work that meets a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It is tried again by itself, and nobody has to do anything at first.
    Retried,
    /// It waits until somebody has put something right, and then goes on by itself.
    Waits,
    /// It is looked for again and again, for a bounded time; then it is dead.
    WaitsThenFinal,
    /// It is dead at once: no retry heals it.
    Final,
}

impl Ending {
    /// The name used in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retried => "retried",
            Self::Waits => "waits",
            Self::WaitsThenFinal => "waits_then_final",
            Self::Final => "final",
        }
    }
}

/// All that is to be said of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// What it means, in one line.
    pub meaning: &'static str,
    /// What usually is behind it.
    pub cause: &'static str,
    /// What to do, in this order.
    pub steps: &'static [&'static str],
    /// What becomes of the work.
    pub ending: Ending,
    /// The same, in words.
    pub work: &'static str,
    /// By what it is recognised: status and code of the vendor's answer, or what escalator itself saw.
    pub seen: &'static [&'static str],
    /// Codes that are easily taken for it, or come with it.
    pub see_also: &'static [Code],
}

impl Code {
    /// Its page.
    #[must_use]
    pub fn page(self) -> &'static Page {
        pages::of(self)
    }
}

/// All pages as one Markdown document: `deploy/runbook/codes.md`.
#[must_use]
pub fn pages_as_markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str("\n| code | what it means | the work |\n| --- | --- | --- |\n");
    for code in Code::ALL {
        let page = code.page();
        text.push_str(&format!(
            "| [`{code}`](#{code}) | {} | {} |\n",
            page.meaning,
            page.ending.as_str().replace('_', " ")
        ));
    }
    for code in Code::ALL {
        text.push_str(&section(code));
    }
    text
}

const INTRODUCTION: &str = "\
# Codes

Every escalation that waits or died has one of these codes: in its dead letter, in the log (`code`), in
`escalator escalations show INCIDENT` and in the metrics. `escalator explain CODE` prints the same page. Which answer of a vendor
becomes which code is in [failures.md](failures.md).

*retried*: tried again by itself. *waits*: until somebody has put something right, at no cost; then it goes on by itself.
*final*: dead, with a dead letter.
";

fn section(code: Code) -> String {
    let page = code.page();
    let mut text = format!(
        "\n## {code}\n\n{}\n\n**In short:** {}.\n\n**Usual cause.** {}\n\n**What to do**\n\n",
        page.meaning,
        code.hint(),
        page.cause
    );
    for (step, number) in page.steps.iter().zip(1..) {
        text.push_str(&format!("{number}. {step}\n"));
    }
    text.push_str(&format!(
        "\n**The work** ({}). {}\n\n**Seen as**\n\n",
        page.ending.as_str().replace('_', " "),
        page.work
    ));
    for seen in page.seen {
        text.push_str(&format!("- {seen}\n"));
    }
    if !page.see_also.is_empty() {
        let links = page
            .see_also
            .iter()
            .map(|code| format!("[`{code}`](#{code})"));
        let links: Vec<_> = links.collect();
        text.push_str(&format!("\n**See also** {}\n", links.join(", ")));
    }
    text
}
