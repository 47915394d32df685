//! The page: a title, the status tiles, when which alert fired, and charts two in a line.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::answer::Series;
use super::chart;
use super::look::{
    EDGE, FAINT, GROUND, INK, PAPER, bold, colour, line, rect, text, width as text_width,
};
use super::scale::written;

const WIDTH: f64 = 1000.0;
const MARGIN: f64 = 14.0;
const GAP: f64 = 8.0;
const CHART_HEIGHT: f64 = 218.0;
/// Grafana's grid has so many columns.
const COLUMNS: f64 = 24.0;
/// And this is one of its rows, for tiles.
const ROW: f64 = 19.0;

pub(super) struct Frame {
    title: String,
    from: Timestamp,
    to: Timestamp,
    body: String,
    /// Where the grid of the tiles begins.
    top: f64,
    /// The first free line below everything.
    bottom: f64,
    charts: usize,
    /// When an alert that wakes somebody began to fire.
    woken: Vec<f64>,
}

/// When a moment was, in UTC.
pub(super) fn clock(moment: Timestamp, form: &str) -> String {
    moment.to_zoned(TimeZone::UTC).strftime(form).to_string()
}

impl Frame {
    pub(super) fn new(title: &str, from: Timestamp, to: Timestamp) -> Self {
        let top = MARGIN + 30.0;
        Self {
            title: title.to_owned(),
            from,
            to,
            body: String::new(),
            top,
            bottom: top,
            charts: 0,
            woken: Vec::new(),
        }
    }

    /// One tile of the status rows, where Grafana's grid has it.
    pub(super) fn tile(&mut self, panel: &Value, series: &[Series]) {
        let grid = |side: &str| panel["gridPos"][side].as_f64().unwrap();
        let column = (WIDTH - 2.0 * MARGIN + GAP) / COLUMNS;
        let at = (MARGIN + grid("x") * column, self.top + grid("y") * ROW);
        let size = (grid("w") * column - GAP, grid("h") * ROW - GAP);
        self.bottom = self.bottom.max(at.1 + size.1 + GAP);
        self.card(at, size);
        let title = panel["title"].as_str().unwrap();
        self.body += &text(at.0 + 9.0, at.1 + 17.0, 11.0, FAINT, "start", title);
        let shown: Vec<_> = series
            .iter()
            .filter_map(|one| Some((one.name.as_str(), one.last()?)))
            .collect();
        let base = at.1 + size.1 - 10.0;
        let defaults = &panel["fieldConfig"]["defaults"];
        if shown.is_empty() {
            let nothing = defaults["noValue"].as_str().unwrap();
            self.body += &text(at.0 + 9.0, base, 13.0, FAINT, "start", nothing);
        }
        let said: Vec<_> = shown
            .iter()
            .map(|(name, value)| (*name, says(defaults, *value)))
            .collect();
        // Names stand behind their numbers where there is room, else above.
        let alone = said.len() == 1;
        let room = size.0 - 14.0;
        let numbers = |font: f64| {
            said.iter()
                .map(move |(_, (word, _))| text_width(word, font))
        };
        let names = || said.iter().map(|(name, _)| text_width(name, 10.5));
        let fits = |font: &f64| numbers(*font).map(|wide| wide + 10.0).sum::<f64>() < room + 10.0;
        let font = if alone { 21.0 } else { 17.0 };
        let font = [font, 15.0, 13.0].into_iter().find(fits).unwrap_or(11.0);
        let beside = numbers(font)
            .zip(names())
            .map(|(word, name)| word + name + 15.0)
            .sum::<f64>()
            < room + 10.0;
        let mut x = at.0 + 9.0;
        for (name, (word, colour)) in &said {
            self.body += &bold(x, base, font, colour, word);
            let (word, wide) = (text_width(word, font), text_width(name, 10.5));
            if alone {
                break;
            }
            if beside {
                self.body += &text(x + word + 5.0, base, 10.5, FAINT, "start", name);
                x += word + wide + 15.0;
            } else {
                self.body += &text(x, base - font - 1.0, 10.5, FAINT, "start", name);
                x += word.max(wide) + 10.0;
            }
        }
    }

    /// Which alerts fired when; nothing where none did.
    pub(super) fn alerts(&mut self, alerts: &[Series]) {
        if alerts.is_empty() {
            return;
        }
        let height = 30.0 + 17.0 * f64::from(u32::try_from(alerts.len()).unwrap());
        let at = (MARGIN, self.bottom);
        self.card(at, (WIDTH - 2.0 * MARGIN, height));
        self.body += &bold(at.0 + 9.0, at.1 + 18.0, 12.5, INK, "Alerts");
        let names = alerts.iter().map(|alert| text_width(&alert.name, 11.0));
        let left = at.0 + 22.0 + names.fold(60.0, f64::max);
        let right = WIDTH - MARGIN - 12.0;
        let (from, to) = (self.from.as_second(), self.to.as_second());
        let x = |moment: f64| chart::between(moment, (from, to), (left, right));
        for (n, alert) in alerts.iter().enumerate() {
            let y = at.1 + 35.0 + 17.0 * f64::from(u32::try_from(n).unwrap());
            let page = alert.labels["severity"] == "page";
            self.body += &text(at.0 + 9.0, y, 11.0, INK, "start", &alert.name);
            self.body += &line((left, y - 4.0), (right, y - 4.0), EDGE, "");
            let step = chart::step_of(alerts);
            for piece in chart::pieces(&alert.points, step) {
                let (begin, end) = (x(piece[0].0), x(piece[piece.len() - 1].0 + step));
                let fill = colour(if page { "red" } else { "orange" });
                if page {
                    self.woken.push(piece[0].0);
                }
                self.body += &rect(
                    (begin, y - 8.0),
                    ((end.min(right) - begin).max(2.0), 8.0),
                    fill,
                    "rx=\"1.5\"",
                );
            }
        }
        let y = at.1 + 18.0;
        for (x, fill, word) in [
            (right - 112.0, "red", "page"),
            (right - 56.0, "orange", "ticket"),
        ] {
            self.body += &rect((x, y - 8.0), (9.0, 8.0), colour(fill), "rx=\"1.5\"");
            self.body += &text(x + 13.0, y, 11.0, FAINT, "start", word);
        }
        self.bottom = at.1 + height + GAP;
    }

    /// A chart, beside or below the one before.
    pub(super) fn panel(&mut self, panel: &Value, series: &[Series]) {
        let width = (WIDTH - 2.0 * MARGIN - GAP) / 2.0;
        let beside = self.charts % 2 == 1;
        let at = if beside {
            (MARGIN + width + GAP, self.bottom - CHART_HEIGHT - GAP)
        } else {
            (MARGIN, self.bottom)
        };
        self.card(at, (width, CHART_HEIGHT));
        let title = panel["title"].as_str().unwrap();
        self.body += &bold(at.0 + 11.0, at.1 + 20.0, 13.0, INK, title);
        let span = (self.from.as_second(), self.to.as_second());
        self.body += &chart::drawn(panel, series, at, (width, CHART_HEIGHT), span, &self.woken);
        if !beside {
            self.bottom += CHART_HEIGHT + GAP;
        }
        self.charts += 1;
    }

    fn card(&mut self, at: (f64, f64), size: (f64, f64)) {
        self.body += &rect(at, size, PAPER, &format!("rx=\"4\" stroke=\"{EDGE}\""));
    }

    pub(super) fn svg(self) -> String {
        let height = self.bottom - GAP + MARGIN;
        let title = bold(MARGIN + 2.0, MARGIN + 15.0, 17.0, INK, &self.title);
        let span = format!(
            "{} to {} UTC",
            clock(self.from, "%Y-%m-%d %H:%M"),
            clock(self.to, "%H:%M")
        );
        let span = text(
            WIDTH - MARGIN - 2.0,
            MARGIN + 14.0,
            12.0,
            FAINT,
            "end",
            &span,
        );
        let ground = rect(
            (0.5, 0.5),
            (WIDTH - 1.0, height - 1.0),
            GROUND,
            &format!("rx=\"6\" stroke=\"{EDGE}\""),
        );
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
             role=\"img\" aria-label=\"{}\" \
             font-family=\"system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif\">\n{ground}{title}{span}{}</svg>\n",
            super::look::escaped(&self.title),
            self.body
        )
    }
}

/// A number as the panel says it, and in which colour.
fn says(defaults: &Value, value: f64) -> (String, String) {
    let word = &defaults["mappings"][0]["options"][format!("{value}")];
    if let Some(said) = word["text"].as_str() {
        let named = word["color"].as_str().unwrap();
        return (said.to_owned(), colour(named).to_owned());
    }
    let decimals = defaults["decimals"].as_u64();
    let unit = defaults["unit"].as_str().unwrap();
    let said = written(
        value,
        unit,
        decimals.map(|many| usize::try_from(many).unwrap()),
    );
    (
        said,
        colour(chart::stepped_colour(defaults, value)).to_owned(),
    )
}
