//! Axes, and how numbers are written on them.

/// From 0 up to a round number that holds all values, in four or five steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) max: f64,
    pub(super) step: f64,
}

impl Scale {
    pub(super) fn up_to(highest: f64, most: Option<f64>) -> Self {
        let highest = if highest > 0.0 { highest } else { 1.0 };
        let rough = highest / 4.0;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .map(|factor| factor * magnitude)
            .into_iter()
            .find(|step| *step >= rough * 0.999)
            .unwrap_or(rough);
        let max = (highest / step - 1e-9).ceil() * step;
        let max = most.map_or(max, |most| max.min(most).max(step));
        Self { max, step }
    }

    pub(super) fn ticks(self) -> impl Iterator<Item = f64> {
        let mut next = 0_u32;
        std::iter::from_fn(move || {
            let tick = f64::from(next) * self.step;
            next += 1;
            (tick <= self.max * 1.001).then_some(tick)
        })
    }
}

/// A value as Grafana would write it, near enough.
pub(super) fn written(value: f64, unit: &str, decimals: Option<usize>) -> String {
    match unit {
        "s" => seconds(value),
        "percentunit" => format!("{} %", number(value * 100.0, decimals)),
        "bytes" => bytes(value),
        _ => number(value, decimals),
    }
}

fn seconds(value: f64) -> String {
    match value.abs() {
        0.0 => "0 s".to_owned(),
        size if size < 0.9995 => format!("{} ms", number(value * 1000.0, None)),
        size if size < 120.0 => format!("{} s", number(value, None)),
        size if size < 7200.0 => format!("{} min", number(value / 60.0, None)),
        size if size < 172_800.0 => format!("{} h", number(value / 3600.0, None)),
        _ => format!("{} d", number(value / 86_400.0, None)),
    }
}

fn bytes(value: f64) -> String {
    let mut value = value;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value.abs() < 1024.0 {
            return format!("{} {unit}", number(value, None));
        }
        value /= 1024.0;
    }
    format!("{} TiB", number(value, None))
}

/// Three digits are enough, unless it is said how many stand behind the point; behind a hundred none do.
fn number(value: f64, decimals: Option<usize>) -> String {
    let decimals = match (value.abs(), decimals) {
        (100.0.., _) => 0,
        (_, Some(decimals)) => decimals,
        (99.95.., None) => 0,
        (9.995.., None) => 1,
        (0.0995.., None) => 2,
        (_, None) => 3,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        let text = text.trim_end_matches('0').trim_end_matches('.');
        return if text == "-0" { "0" } else { text }.to_owned();
    }
    if text == "-0" { "0".to_owned() } else { text }
}

/// Moments on the time axis: round ones, about six.
pub(super) fn moments(from: i64, to: i64) -> Vec<i64> {
    const STEPS: [i64; 14] = [
        5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400,
    ];
    let step = STEPS
        .into_iter()
        .find(|step| (to - from) / step <= 7)
        .unwrap_or(86_400);
    let first = (from + step - 1).div_euclid(step) * step;
    (0..)
        .map(|n| first + n * step)
        .take_while(|moment| *moment <= to)
        .collect()
}
