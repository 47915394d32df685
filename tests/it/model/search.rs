//! Breadth first through everything that can happen. The first violation found is one with the fewest moves.

use super::procedure::{Label, Model};
use super::world::{Broken, State};
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::rc::Rc;

/// Multiplies and rotates: a state is some fifty small fields, and the standard hasher is slow without optimisation.
#[derive(Default)]
pub(super) struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }
    fn write_i8(&mut self, n: i8) {
        self.write_u64(u64::from(n.cast_unsigned()));
    }
    fn write_isize(&mut self, n: isize) {
        self.write_u64(n.cast_unsigned() as u64);
    }
    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

/// A state with its hash, which is asked for again whenever the table grows.
struct Hashed {
    hash: u64,
    state: Rc<State>,
}

impl Hashed {
    fn new(state: State) -> Self {
        Self {
            hash: BuildHasherDefault::<Quick>::default().hash_one(&state),
            state: Rc::new(state),
        }
    }
}

impl PartialEq for Hashed {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.state == other.state
    }
}

impl Eq for Hashed {}

impl Hash for Hashed {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.hash);
    }
}

/// What was found.
pub(super) struct Explored {
    pub(super) states: usize,
    pub(super) transitions: usize,
    pub(super) depth: u32,
    /// States in which everything has ended.
    pub(super) ends: usize,
    pub(super) violation: Option<(Broken, Vec<String>)>,
    /// A way to a state from which no end can be reached.
    pub(super) stuck: Option<Vec<String>>,
}

/// A state that was visited, and how it was reached first.
struct Visit {
    state: Rc<State>,
    from: u32,
    label: Label,
    depth: u32,
}

/// Visits everything that can be reached; stops at the first violation.
pub(super) fn explore(model: &Model, start: State) -> Explored {
    let mut known: HashMap<Hashed, u32, BuildHasherDefault<Quick>> = HashMap::default();
    let start = Hashed::new(start.settle());
    let begin = Label {
        worker: 0,
        key: 0,
        what: "",
    };
    let mut visits = vec![Visit {
        state: start.state.clone(),
        from: 0,
        label: begin,
        depth: 0,
    }];
    known.insert(start, 0);
    let mut edges: Vec<(u32, u32)> = Vec::new();
    let mut next = 0;
    while let Some(visit) = visits.get(next) {
        let (state, depth) = (visit.state.clone(), visit.depth);
        for (label, reached) in model.moves(&state) {
            let broken = reached.broken;
            let reached = Hashed::new(reached);
            let state = reached.state.clone();
            let id = *known.entry(reached).or_insert_with(|| {
                visits.push(Visit {
                    state,
                    from: next as u32,
                    label,
                    depth: depth + 1,
                });
                (visits.len() - 1) as u32
            });
            edges.push((next as u32, id));
            if let Some(broken) = broken {
                let trace = trace(&visits, id as usize);
                return done(&visits, &edges, 0, Some((broken, trace)), None);
            }
        }
        next += 1;
    }
    let ended = |state: &State| (0..model.keys).all(|key| state.ended(key));
    let (ends, lost) = backwards(&visits, &edges, ended);
    let stuck = lost.map(|id| trace(&visits, id));
    done(&visits, &edges, ends, None, stuck)
}

fn done(
    visits: &[Visit],
    edges: &[(u32, u32)],
    ends: usize,
    violation: Option<(Broken, Vec<String>)>,
    stuck: Option<Vec<String>>,
) -> Explored {
    Explored {
        states: visits.len(),
        transitions: edges.len(),
        depth: visits.last().map_or(0, |visit| visit.depth),
        ends,
        violation,
        stuck,
    }
}

/// How many states are ends, and the first state that reaches none.
fn backwards(
    visits: &[Visit],
    edges: &[(u32, u32)],
    ended: impl Fn(&State) -> bool,
) -> (usize, Option<usize>) {
    let mut first = vec![0_u32; visits.len() + 1];
    for (_, to) in edges {
        first[*to as usize + 1] += 1;
    }
    for id in 0..visits.len() {
        first[id + 1] += first[id];
    }
    let mut free = first.clone();
    let mut before = vec![0_u32; edges.len()];
    for (from, to) in edges {
        before[free[*to as usize] as usize] = *from;
        free[*to as usize] += 1;
    }
    let mut reaches: Vec<bool> = visits.iter().map(|visit| ended(&visit.state)).collect();
    let mut open: Vec<u32> = (0..visits.len() as u32)
        .filter(|id| reaches[*id as usize])
        .collect();
    let ends = open.len();
    while let Some(id) = open.pop() {
        let id = id as usize;
        for from in &before[first[id] as usize..first[id + 1] as usize] {
            if !reaches[*from as usize] {
                reaches[*from as usize] = true;
                open.push(*from);
            }
        }
    }
    (ends, reaches.iter().position(|reaches| !reaches))
}

fn trace(visits: &[Visit], to: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut at = to;
    while at != 0 {
        let visit = &visits[at];
        let Label { worker, key, what } = visit.label;
        let who = match (worker, key) {
            (0, 0) => String::new(),
            (0, key) => format!("incident {key}: "),
            (worker, key) => format!("worker {worker}, incident {key}: "),
        };
        lines.push(format!("{who}{what}"));
        at = visit.from as usize;
    }
    lines.reverse();
    lines
}
