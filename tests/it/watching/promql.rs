//! Reads PromQL as Prometheus would, and knows of each query which labels its answer has.
//!
//! A query that names a metric or a label that does not exist is no error to Prometheus: it answers nothing, and an alert
//! that never fires looks like a system that is well. So what dashboards and rules ask is held against what there is.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::label::{MatchOp, Matcher, Matchers};
use promql_parser::parser::token::{T_BOTTOMK, T_COUNT_VALUES, T_LAND, T_LOR, T_LUNLESS, T_TOPK};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{
    self, AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality,
    VectorSelector,
};

/// What a metric does, and with it what may be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only grows; starts anew at 0 with its process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Three counters: `_bucket` with `le`, `_sum`, `_count`.
    Histogram,
}

/// The names that there are, with their labels.
#[derive(Debug, Default, Clone)]
pub(crate) struct Known(BTreeMap<String, (Kind, BTreeSet<String>)>);

impl Known {
    /// A metric that is scraped: it gets `instance` and `job` on top of its own labels, as Prometheus adds them.
    pub(crate) fn scraped<'a>(
        &mut self,
        name: &str,
        kind: Kind,
        labels: impl IntoIterator<Item = &'a str>,
    ) {
        let mut labels = set(labels);
        labels.extend(set(["instance", "job"]));
        if kind == Kind::Histogram {
            for end in ["_sum", "_count"] {
                let name = format!("{name}{end}");
                self.0.insert(name, (Kind::Counter, labels.clone()));
            }
            labels.insert("le".to_owned());
            self.0
                .insert(format!("{name}_bucket"), (Kind::Counter, labels));
        } else {
            self.0.insert(name.to_owned(), (kind, labels));
        }
    }

    /// What Prometheus makes itself: a recording rule, or `ALERTS`. It has the labels that are given and no others.
    pub(crate) fn made<'a>(&mut self, name: &str, labels: impl IntoIterator<Item = &'a str>) {
        self.0.insert(name.to_owned(), (Kind::Gauge, set(labels)));
    }

    /// All names, of a histogram those of its series.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// What was found out about a query.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The labels that its answer may have; none for a number.
    pub(crate) labels: BTreeSet<String>,
    /// The metrics that it reads.
    pub(crate) metrics: BTreeSet<String>,
}

/// Reads a query and holds it against what is known.
///
/// # Errors
/// What Prometheus itself would refuse; and a name or label that does not exist, the rate of what is no counter, a quantile
/// without `le`, or two sides whose labels can never match: what it would answer with silence.
pub(crate) fn read(query: &str, known: &Known) -> Result<Reading, String> {
    let expression = parser::parse(query)?;
    let mut reader = Reader {
        known,
        metrics: BTreeSet::new(),
    };
    let labels = reader.labels(&expression)?;
    Ok(Reading {
        labels,
        metrics: reader.metrics,
    })
}

/// Puts values where Grafana does: `$__rate_interval`, `${lane}`, `${lane:regex}` and the like.
///
/// # Errors
/// Names a variable that is not given.
pub(crate) fn filled_in(query: &str, variables: &[(&str, &str)]) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = query;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        let (name, behind) = match after.strip_prefix('{') {
            Some(braced) => braced
                .split_once('}')
                .map(|(name, behind)| (name.split(':').next().unwrap_or(name), behind))
                .ok_or_else(|| format!("a brace is left open: {query}"))?,
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                after.split_at(end.unwrap_or(after.len()))
            }
        };
        let (_, value) = variables
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| format!("there is no variable ${name}: {query}"))?;
        text.push_str(value);
        rest = behind;
    }
    text.push_str(rest);
    Ok(text)
}

fn set<'a>(labels: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    labels.into_iter().map(str::to_owned).collect()
}

/// The label that is a metric's name.
const NAME: &str = "__name__";

/// A metric with its kind and labels.
type Meant<'a> = (&'a str, Kind, &'a BTreeSet<String>);

struct Reader<'a> {
    known: &'a Known,
    metrics: BTreeSet<String>,
}

impl Reader<'_> {
    fn labels(&mut self, expression: &Expr) -> Result<BTreeSet<String>, String> {
        match expression {
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Ok(BTreeSet::new()),
            Expr::Paren(inner) => self.labels(&inner.expr),
            Expr::Unary(inner) => self.labels(&inner.expr),
            Expr::Subquery(inner) => self.labels(&inner.expr),
            Expr::VectorSelector(selector) => self.selected(selector),
            Expr::MatrixSelector(selector) => self.selected(&selector.vs),
            Expr::Call(call) => self.called(call),
            Expr::Aggregate(aggregate) => self.aggregated(aggregate),
            Expr::Binary(binary) => self.combined(binary),
            Expr::Extension(_) => Err("an extension, which the parser never makes".to_owned()),
        }
    }

    fn selected(&mut self, selector: &VectorSelector) -> Result<BTreeSet<String>, String> {
        let mut all = BTreeSet::new();
        for (name, _, labels) in meant(self.known, selector)? {
            for matcher in matchers(selector).filter(|one| one.name != NAME) {
                among(&matcher.name, labels, name)?;
            }
            self.metrics.insert(name.to_owned());
            all.extend(labels.iter().cloned());
        }
        Ok(all)
    }

    fn called(&mut self, call: &Call) -> Result<BTreeSet<String>, String> {
        let function = call.func.name;
        let mut labels = BTreeSet::new();
        for argument in &call.args.args {
            // At most one argument of a function is a vector; the others are numbers and texts, which have none.
            labels.extend(self.labels(argument)?);
        }
        if function == "histogram_quantile" && !labels.remove("le") {
            return Err(format!("{function} of something without le"));
        }
        match function {
            "rate" | "irate" | "increase" | "resets" => {
                self.must_be(Kind::Counter, function, call)?;
            }
            "delta" | "idelta" | "deriv" | "predict_linear" => {
                self.must_be(Kind::Gauge, function, call)?;
            }
            "absent" | "absent_over_time" => return Ok(labels_of_what_is_absent(call)),
            "scalar" => labels.clear(),
            "label_replace" | "label_join" => {
                if let Some(Expr::StringLiteral(label)) = call.args.args.get(1).map(|a| &**a) {
                    labels.insert(label.val.clone());
                }
            }
            _ => {}
        }
        Ok(labels)
    }

    /// Looks at what stands directly in the brackets; what a subquery makes is anybody's.
    fn must_be(&self, kind: Kind, function: &str, call: &Call) -> Result<(), String> {
        for argument in &call.args.args {
            if let Expr::MatrixSelector(selector) = &**argument {
                for (name, is, _) in meant(self.known, &selector.vs)? {
                    if is != kind {
                        return Err(format!("{function} of {name}, which is no {kind:?}"));
                    }
                }
            }
        }
        Ok(())
    }

    fn aggregated(&mut self, aggregate: &AggregateExpr) -> Result<BTreeSet<String>, String> {
        if let Some(parameter) = &aggregate.param {
            self.labels(parameter)?;
        }
        let inner = self.labels(&aggregate.expr)?;
        for label in aggregate.modifier.iter().flat_map(|by| &by.labels().labels) {
            among(label, &inner, "what is aggregated")?;
        }
        let picks = [T_TOPK, T_BOTTOMK].contains(&aggregate.op.id());
        let mut labels = match &aggregate.modifier {
            _ if picks => inner,
            None => BTreeSet::new(),
            Some(LabelModifier::Include(by)) => by.labels.iter().cloned().collect(),
            Some(LabelModifier::Exclude(without)) => inner
                .into_iter()
                .filter(|label| !without.labels.contains(label))
                .collect(),
        };
        if aggregate.op.id() == T_COUNT_VALUES
            && let Some(Expr::StringLiteral(label)) = aggregate.param.as_deref()
        {
            labels.insert(label.val.clone());
        }
        Ok(labels)
    }

    fn combined(&mut self, binary: &BinaryExpr) -> Result<BTreeSet<String>, String> {
        let left = self.labels(&binary.lhs)?;
        let right = self.labels(&binary.rhs)?;
        let is_number = |side: &Expr| side.value_type() == ValueType::Scalar;
        match (is_number(&binary.lhs), is_number(&binary.rhs)) {
            (true, _) => return Ok(right),
            (_, true) => return Ok(left),
            (false, false) => {}
        }
        let matching = binary.modifier.as_ref().and_then(|m| m.matching.as_ref());
        let (ours, theirs): (BTreeSet<_>, BTreeSet<_>) = match matching {
            None => (left.clone(), right.clone()),
            Some(LabelModifier::Include(on)) => {
                for label in &on.labels {
                    among(label, &left, "the left side")?;
                    among(label, &right, "the right side")?;
                }
                let on: BTreeSet<_> = on.labels.iter().cloned().collect();
                (on.clone(), on)
            }
            Some(LabelModifier::Exclude(ignored)) => {
                let without = |side: &BTreeSet<String>| {
                    let kept = side.iter().filter(|label| !ignored.labels.contains(label));
                    kept.cloned().collect()
                };
                (without(&left), without(&right))
            }
        };
        let operator = binary.op.id();
        // `a or vector(0)`: the sides need not match, whatever is on the right is added.
        if operator == T_LOR {
            return Ok(left.union(&right).cloned().collect());
        }
        if ours != theirs {
            return Err(format!(
                "the sides of {} can never match: {ours:?} and {theirs:?}",
                binary.op
            ));
        }
        if [T_LAND, T_LUNLESS].contains(&operator) {
            return Ok(left);
        }
        match binary.modifier.as_ref().map(|modifier| &modifier.card) {
            Some(VectorMatchCardinality::ManyToOne(more)) => {
                with(left, &more.labels, &right, "the right side")
            }
            Some(VectorMatchCardinality::OneToMany(more)) => {
                with(right, &more.labels, &left, "the left side")
            }
            Some(VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany) | None => {
                Ok(ours)
            }
        }
    }
}

fn with(
    mut labels: BTreeSet<String>,
    more: &[String],
    other: &BTreeSet<String>,
    of: &str,
) -> Result<BTreeSet<String>, String> {
    for label in more {
        among(label, other, of)?;
        labels.insert(label.clone());
    }
    Ok(labels)
}

fn among(label: &str, labels: &BTreeSet<String>, of: &str) -> Result<(), String> {
    if labels.contains(label) {
        Ok(())
    } else {
        Err(format!("{of} has no label {label}, but {labels:?}"))
    }
}

/// The metric that a selector names, or those that its matchers of the name let through.
fn meant<'a>(known: &'a Known, selector: &VectorSelector) -> Result<Vec<Meant<'a>>, String> {
    let by_matchers = |name: &str| {
        let mut of_the_name = matchers(selector).filter(|one| one.name == NAME).peekable();
        of_the_name.peek().is_some() && of_the_name.all(|one| one.is_match(name))
    };
    let meant = known.0.iter().filter(|(name, _)| match &selector.name {
        Some(given) => *name == given,
        None => by_matchers(name),
    });
    let meant: Vec<_> = meant
        .map(|(name, (kind, labels))| (name.as_str(), *kind, labels))
        .collect();
    if meant.is_empty() {
        Err(format!("there is no metric {selector}"))
    } else {
        Ok(meant)
    }
}

fn matchers(selector: &VectorSelector) -> impl Iterator<Item = &Matcher> {
    let Matchers {
        matchers,
        or_matchers,
    } = &selector.matchers;
    matchers.iter().chain(or_matchers.iter().flatten())
}

/// `absent(x{a="b"})` answers with the labels that were asked for by their value, and no others.
fn labels_of_what_is_absent(call: &Call) -> BTreeSet<String> {
    let selector = match call.args.args.first().map(|argument| &**argument) {
        Some(Expr::VectorSelector(selector)) => selector,
        Some(Expr::MatrixSelector(selector)) => &selector.vs,
        _ => return BTreeSet::new(),
    };
    let equal = selector.matchers.matchers.iter();
    equal
        .filter(|matcher| matches!(matcher.op, MatchOp::Equal))
        .map(|matcher| matcher.name.clone())
        .collect()
}
