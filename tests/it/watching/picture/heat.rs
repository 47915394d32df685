//! How many fell where: the buckets of a histogram over time.

use std::collections::BTreeMap;

use super::answer::Series;
use super::chart::{Area, key, step_of, time_axis};
use super::look::{FAINT, colour, rect, text};
use super::scale::written;

/// What is drawn are the differences between the buckets, which Prometheus keeps as sums of all below.
pub(super) fn drawn(series: &[Series], area: &Area<'_>) -> String {
    let step = step_of(series);
    let bound = |one: &Series| match one.labels["le"].as_str().unwrap() {
        "+Inf" => f64::INFINITY,
        number => number.parse().unwrap(),
    };
    let mut buckets: Vec<_> = series.iter().map(|one| (bound(one), one)).collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut cells = Vec::new();
    let mut below = BTreeMap::new();
    for (row, (_, one)) in buckets.iter().enumerate() {
        for (moment, value) in &one.points {
            let before = below.insert(key(*moment), *value).unwrap_or(0.0);
            cells.push((row, *moment, value - before));
        }
    }
    cells.retain(|(_, _, many)| *many > 1e-9);
    let most = cells.iter().map(|(_, _, many)| *many).fold(0.0, f64::max);
    // Rows where nothing ever was are left out, but for one on each side.
    let used = cells.iter().map(|(row, _, _)| *row);
    let first = used.clone().min().unwrap_or(0).saturating_sub(1);
    let last = (used.max().unwrap_or(0) + 1).min(buckets.len() - 1);
    let count = |rows: usize| f64::from(u32::try_from(rows).unwrap());
    let height = (area.bottom - area.top) / count(last + 1 - first);
    let foot = |row: usize| area.bottom - height * count(row - first);
    let mut svg = time_axis(area);
    for (row, (bound, _)) in buckets.iter().enumerate().take(last + 1).skip(first) {
        let said = if bound.is_finite() {
            written(*bound, "s", None)
        } else {
            "more".to_owned()
        };
        let middle = foot(row) - height / 2.0 + 4.0;
        svg += &text(area.left - 6.0, middle, 11.0, FAINT, "end", &said);
    }
    for (row, moment, many) in cells {
        let (begin, end) = (area.x(moment - step).max(area.left), area.x(moment));
        let dark = 0.12 + 0.88 * (many / most).sqrt();
        svg += &rect(
            (begin, foot(row) - height + 0.5),
            (end - begin, height - 1.0),
            colour("orange"),
            &format!("fill-opacity=\"{dark:.2}\""),
        );
    }
    let (x, y) = (area.left - 44.0, area.bottom + 36.0);
    svg + &text(
        x,
        y,
        11.0,
        FAINT,
        "start",
        "each row is up to its label; darker: more of them",
    )
}
