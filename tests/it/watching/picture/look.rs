//! Colours and text. The picture brings its own light ground: it is read on a page that is light or dark.

/// Grafana's names, in tones that can be told apart on white.
pub(super) fn colour(name: &str) -> &str {
    match name {
        "green" => "#37872d",
        "semi-dark-green" => "#73bf69",
        "yellow" => "#d9a900",
        "orange" => "#e8710a",
        "dark-orange" => "#b85300",
        "semi-dark-orange" => "#ffb357",
        "red" => "#d2202f",
        "semi-dark-red" => "#f2727f",
        "dark-red" => "#8f0d1b",
        "blue" => "#1f60c4",
        "semi-dark-blue" => "#8ab8ff",
        "light-blue" => "#6ea6e8",
        "purple" => "#8f3bb8",
        "text" => INK,
        "transparent" => "none",
        other => other,
    }
}

/// For series that nobody has given a colour.
pub(super) const PALETTE: [&str; 9] = [
    "#1f60c4", "#e8710a", "#37872d", "#8f3bb8", "#d2202f", "#0f8b8d", "#d9a900", "#7a5195",
    "#6b7785",
];

pub(super) const INK: &str = "#24292f";
pub(super) const FAINT: &str = "#57606a";
pub(super) const GRID: &str = "#e4e8ec";
pub(super) const EDGE: &str = "#d0d7de";
pub(super) const GROUND: &str = "#f6f8fa";
pub(super) const PAPER: &str = "#ffffff";

/// Text in an element or an attribute.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// How wide a text is, about: no font is at hand to ask.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let em: f64 = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | 't' | 'f' | '.' | ',' | ':' | ' ' | '(' | ')' | '\'' => 0.32,
            'm' | 'w' | 'M' | 'W' | '%' => 0.88,
            'A'..='Z' => 0.68,
            _ => 0.57,
        })
        .sum();
    em * size
}

/// One line of text. `anchor` is `start`, `middle` or `end`.
pub(super) fn text(x: f64, y: f64, size: f64, fill: &str, anchor: &str, text: &str) -> String {
    styled(x, y, size, fill, anchor, "400", text)
}

pub(super) fn bold(x: f64, y: f64, size: f64, fill: &str, text: &str) -> String {
    styled(x, y, size, fill, "start", "600", text)
}

fn styled(x: f64, y: f64, size: f64, fill: &str, anchor: &str, weight: &str, text: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" font-weight=\"{weight}\" fill=\"{fill}\" text-anchor=\"{anchor}\">{}</text>\n",
        escaped(text)
    )
}

pub(super) fn line(from: (f64, f64), to: (f64, f64), stroke: &str, more: &str) -> String {
    format!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{stroke}\" {more}/>\n",
        from.0, from.1, to.0, to.1
    )
}

pub(super) fn rect(at: (f64, f64), size: (f64, f64), fill: &str, more: &str) -> String {
    format!(
        "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{fill}\" {more}/>\n",
        at.0,
        at.1,
        size.0.max(0.0),
        size.1.max(0.0)
    )
}
