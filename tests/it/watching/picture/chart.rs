//! One chart in its card: axes, lines, areas, columns, and a legend.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::answer::Series;
use super::frame::clock;
use super::heat;
use super::look::{
    FAINT, GRID, INK, PALETTE, colour, escaped, line, rect, text, width as text_width,
};
use super::scale::{Scale, moments, written};

type Point = (f64, f64);
type Span = (i64, i64);

/// Where in the card the chart itself is.
pub(super) struct Area<'a> {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    span: Span,
    /// Moments that are marked, as Grafana marks annotations.
    woken: &'a [f64],
}

impl Area<'_> {
    pub(super) fn x(&self, moment: f64) -> f64 {
        between(moment, self.span, (self.left, self.right))
    }

    fn y(&self, value: f64, max: f64) -> f64 {
        self.bottom - (value / max).clamp(0.0, 1.0) * (self.bottom - self.top)
    }
}

/// Where a moment lies on the way from `left` to `right`.
pub(super) fn between(moment: f64, (from, to): Span, (left, right): (f64, f64)) -> f64 {
    let seconds = |whole: i64| f64::from(u32::try_from(whole).unwrap());
    left + (moment - seconds(from)) / (seconds(to) - seconds(from)) * (right - left)
}

/// The time between two points, as the answers have it.
pub(super) fn step_of(series: &[Series]) -> f64 {
    let steps = series
        .iter()
        .flat_map(|one| one.points.windows(2))
        .map(|pair| pair[1].0 - pair[0].0);
    let shortest = steps.fold(f64::INFINITY, f64::min);
    if shortest.is_finite() { shortest } else { 1.0 }
}

/// Points that follow each other without a gap.
pub(super) fn pieces(points: &[Point], step: f64) -> Vec<&[Point]> {
    points
        .chunk_by(|one, next| next.0 - one.0 < step * 1.5)
        .collect()
}

/// The colour of the highest step that a value has reached.
pub(super) fn stepped_colour(defaults: &Value, value: f64) -> &str {
    let steps = defaults["thresholds"]["steps"].as_array().unwrap();
    let reached = steps
        .iter()
        .rfind(|step| step["value"].as_f64().is_none_or(|from| value >= from));
    reached.unwrap()["color"].as_str().unwrap()
}

pub(super) fn drawn(
    panel: &Value,
    series: &[Series],
    at: Point,
    size: (f64, f64),
    span: Span,
    woken: &[f64],
) -> String {
    let area = Area {
        left: at.0 + 56.0,
        right: at.0 + size.0 - 16.0,
        top: at.1 + 34.0,
        bottom: at.1 + size.1 - 58.0,
        span,
        woken,
    };
    let defaults = &panel["fieldConfig"]["defaults"];
    if series.iter().all(|one| one.points.is_empty()) {
        let nothing = defaults["noValue"].as_str().unwrap();
        let middle = (
            f64::midpoint(area.left, area.right),
            f64::midpoint(area.top, area.bottom),
        );
        return time_axis(&area) + &text(middle.0, middle.1, 13.0, FAINT, "middle", nothing);
    }
    match panel["type"].as_str().unwrap() {
        "timeseries" => lines(panel, series, area),
        "heatmap" => heat::drawn(series, &area),
        other => panic!("no way to draw a {other}"),
    }
}

pub(super) fn time_axis(area: &Area<'_>) -> String {
    let mut svg = line(
        (area.left, area.bottom),
        (area.right, area.bottom),
        GRID,
        "",
    );
    let form = if area.span.1 - area.span.0 < 300 {
        "%H:%M:%S"
    } else {
        "%H:%M"
    };
    for moment in moments(area.span.0, area.span.1) {
        let x = between(
            f64::from(u32::try_from(moment).unwrap()),
            area.span,
            (area.left, area.right),
        );
        let said = clock(Timestamp::from_second(moment).unwrap(), form);
        svg += &line((x, area.top), (x, area.bottom), GRID, "");
        svg += &text(x, area.bottom + 15.0, 11.0, FAINT, "middle", &said);
    }
    for moment in area.woken {
        let x = area.x(*moment);
        let dashes = "stroke-dasharray=\"2 3\" opacity=\"0.7\"";
        svg += &line((x, area.top), (x, area.bottom), colour("red"), dashes);
    }
    svg
}

/// A line with all that is drawn of it.
struct Line<'a> {
    series: &'a Series,
    colour: &'a str,
    /// The unit of the right axis, for those that have it.
    right: Option<&'a str>,
}

fn property<'a>(panel: &'a Value, name: &str, id: &str) -> Option<&'a Value> {
    let overrides = panel["fieldConfig"]["overrides"].as_array().unwrap();
    let concerned = overrides
        .iter()
        .filter(|one| one["matcher"]["options"] == name);
    concerned
        .flat_map(|one| one["properties"].as_array().unwrap())
        .find(|property| property["id"] == id)
        .map(|property| &property["value"])
}

fn lines(panel: &Value, series: &[Series], mut area: Area<'_>) -> String {
    let defaults = &panel["fieldConfig"]["defaults"];
    let custom = &defaults["custom"];
    let step = step_of(series);
    let mut palette = PALETTE.iter().cycle();
    let all: Vec<_> = series
        .iter()
        .map(|series| Line {
            series,
            colour: property(panel, &series.name, "color")
                .and_then(|value| value["fixedColor"].as_str())
                .map_or_else(|| *palette.next().unwrap(), colour),
            right: property(panel, &series.name, "custom.axisPlacement")
                .and(property(panel, &series.name, "unit"))
                .and_then(Value::as_str),
        })
        .collect();
    let stacked = custom["stacking"]["mode"] == "normal";
    let columns = custom["drawStyle"] == "bars";
    let (right, left): (Vec<_>, Vec<_>) = all.iter().partition(|line| line.right.is_some());
    let top = if stacked {
        stack_heights(&left).values().copied().fold(0.0, f64::max)
    } else {
        highest(&left)
    };
    let soft = custom["axisSoftMax"].as_f64().unwrap_or(0.0);
    let scale = Scale::up_to(top.max(soft), defaults["max"].as_f64());
    if !right.is_empty() {
        area.right -= 44.0;
    }
    let mut svg = time_axis(&area);
    let unit = defaults["unit"].as_str().unwrap();
    svg += &value_axis(&area, scale, unit);
    if let Some(unit) = right.first().and_then(|line| line.right) {
        let scale = Scale::up_to(highest(&right), None);
        svg += &right_axis(&area, scale, unit);
        for one in &right {
            svg += &path(&area, &one.series.points, one.colour, scale.max, step);
        }
    }
    svg += &marks(&area, defaults, scale);
    let mut below = BTreeMap::new();
    for one in &left {
        if columns {
            svg += &column(&area, one, &mut below, scale.max, step);
        } else if stacked {
            svg += &layer(&area, one, &mut below, scale.max, step);
        } else {
            let points = if custom["lineInterpolation"] == "stepAfter" {
                staircase(&one.series.points)
            } else {
                one.series.points.clone()
            };
            svg += &path(&area, &points, one.colour, scale.max, step);
        }
    }
    let mut names: Vec<_> = all.iter().collect();
    names.sort_by(|a, b| peak(b.series).total_cmp(&peak(a.series)));
    svg + &legend(
        &area,
        names
            .iter()
            .map(|line| (line.series.name.as_str(), line.colour)),
    )
}

fn peak(series: &Series) -> f64 {
    series
        .points
        .iter()
        .map(|(_, value)| *value)
        .fold(0.0, f64::max)
}

fn highest(lines: &[&Line<'_>]) -> f64 {
    lines
        .iter()
        .map(|line| peak(line.series))
        .fold(0.0, f64::max)
}

/// A moment as a key: points of one answer share theirs.
pub(super) fn key(moment: f64) -> u64 {
    (moment * 1000.0).to_bits()
}

fn stack_heights(lines: &[&Line<'_>]) -> BTreeMap<u64, f64> {
    let mut heights = BTreeMap::new();
    for line in lines {
        for (moment, value) in &line.series.points {
            *heights.entry(key(*moment)).or_insert(0.0) += value;
        }
    }
    heights
}

fn value_axis(area: &Area<'_>, scale: Scale, unit: &str) -> String {
    let mut svg = String::new();
    for tick in scale.ticks() {
        let y = area.y(tick, scale.max);
        svg += &line((area.left, y), (area.right, y), GRID, "");
        let said = written(tick, unit, None);
        svg += &text(area.left - 6.0, y + 4.0, 11.0, FAINT, "end", &said);
    }
    svg
}

fn right_axis(area: &Area<'_>, scale: Scale, unit: &str) -> String {
    let mut svg = String::new();
    for tick in scale.ticks() {
        let y = area.y(tick, scale.max) + 4.0;
        let said = written(tick, unit, None);
        svg += &text(area.right + 6.0, y, 11.0, FAINT, "start", &said);
    }
    svg
}

/// Dashed lines where a threshold is shown.
fn marks(area: &Area<'_>, defaults: &Value, scale: Scale) -> String {
    if defaults["custom"]["thresholdsStyle"]["mode"] != "dashed" {
        return String::new();
    }
    let steps = defaults["thresholds"]["steps"].as_array().unwrap();
    let mut svg = String::new();
    for step in steps {
        if let Some(value) = step["value"].as_f64().filter(|value| *value <= scale.max) {
            let y = area.y(value, scale.max);
            let stroke = colour(step["color"].as_str().unwrap());
            svg += &line(
                (area.left, y),
                (area.right, y),
                stroke,
                "stroke-dasharray=\"6 4\" opacity=\"0.8\"",
            );
        }
    }
    svg
}

fn path(area: &Area<'_>, points: &[Point], stroke: &str, max: f64, step: f64) -> String {
    let mut d = String::new();
    for piece in pieces(points, step) {
        // A single point would not be seen.
        let alone = [piece[0], (piece[0].0 + step / 2.0, piece[0].1)];
        let piece = if piece.len() == 1 { &alone } else { piece };
        for (n, (moment, value)) in piece.iter().enumerate() {
            let letter = if n == 0 { 'M' } else { 'L' };
            let (x, y) = (area.x(*moment).min(area.right), area.y(*value, max));
            d += &format!("{letter}{x:.1} {y:.1}");
        }
    }
    format!(
        "<path d=\"{d}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"1.6\" stroke-linejoin=\"round\"/>\n"
    )
}

fn staircase(points: &[Point]) -> Vec<Point> {
    let mut steps = Vec::with_capacity(points.len() * 2);
    for pair in points.windows(2) {
        steps.push(pair[0]);
        steps.push((pair[1].0, pair[0].1));
    }
    steps.extend(points.last());
    steps
}

/// An area on top of those before it.
fn layer(
    area: &Area<'_>,
    one: &Line<'_>,
    below: &mut BTreeMap<u64, f64>,
    max: f64,
    step: f64,
) -> String {
    let mut d = String::new();
    let mut edge = Vec::new();
    for piece in pieces(&one.series.points, step) {
        let mut under = Vec::new();
        let mut over = Vec::new();
        for (moment, value) in piece {
            let height = below.entry(key(*moment)).or_insert(0.0);
            under.push((*moment, *height));
            *height += value;
            over.push((*moment, *height));
        }
        for (n, (moment, value)) in over.iter().chain(under.iter().rev()).enumerate() {
            let letter = if n == 0 { 'M' } else { 'L' };
            d += &format!("{letter}{:.1} {:.1}", area.x(*moment), area.y(*value, max));
        }
        d.push('Z');
        edge.extend(over);
    }
    let filled = format!(
        "<path d=\"{d}\" fill=\"{}\" fill-opacity=\"0.35\"/>\n",
        one.colour
    );
    filled + &path(area, &edge, one.colour, max, step)
}

fn column(
    area: &Area<'_>,
    one: &Line<'_>,
    below: &mut BTreeMap<u64, f64>,
    max: f64,
    step: f64,
) -> String {
    let mut svg = String::new();
    for (moment, value) in one.series.points.iter().filter(|(_, value)| *value > 0.0) {
        let height = below.entry(key(*moment)).or_insert(0.0);
        let foot = area.y(*height, max);
        *height += value;
        let head = area.y(*height, max);
        let (begin, end) = (area.x(moment - step), area.x(*moment));
        let begin = begin.max(area.left);
        svg += &rect(
            (begin, head),
            ((end - begin - 0.4).max(0.8), foot - head),
            one.colour,
            "fill-opacity=\"0.85\"",
        );
    }
    svg
}

/// Names in two lines at most; what does not fit is counted.
fn legend<'a>(area: &Area<'_>, names: impl ExactSizeIterator<Item = (&'a str, &'a str)>) -> String {
    let begin = area.left - 44.0;
    let (mut x, mut y) = (begin, area.bottom + 34.0);
    let mut svg = String::new();
    let many = names.len();
    for (n, (name, fill)) in names.enumerate() {
        let wide = 24.0 + text_width(name, 11.0);
        if x + wide > area.right + 10.0 {
            (x, y) = (begin, y + 16.0);
        }
        let last_line = y > area.bottom + 45.0;
        if last_line && n + 1 < many && x + wide > area.right - 30.0 || y > area.bottom + 55.0 {
            let rest = format!("and {} more", many - n);
            svg += &text(x, y.min(area.bottom + 50.0), 11.0, FAINT, "start", &rest);
            break;
        }
        svg += &rect((x, y - 5.0), (12.0, 3.0), fill, "rx=\"1\"");
        svg += &format!(
            "<text x=\"{:.1}\" y=\"{y:.1}\" font-size=\"11\" fill=\"{INK}\">{}</text>\n",
            x + 16.0,
            escaped(name)
        );
        x += wide + 8.0;
    }
    svg
}
