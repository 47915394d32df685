//! Everything that can happen to an escalation in a small world, visited without exception.
//!
//! [`brain`] asks the real `decide`, the real `Update::apply` and the real invariants; [`procedure`], [`calls`] and [`records`]
//! re-enact what `worker/` and `ledger/` do around them, one durable or outside event at a time, so that a crash, another
//! worker or a late request may come between any two; [`around`] is what happens without a worker; [`world`] is the state,
//! in so few bytes that millions can be remembered; [`likeness`] says which are alike; [`search`] goes through it breadth first, so that the first violation
//! found has the shortest way to it, and backwards, to see that everything can still come to an end.
//!
//! What is bounded, and what is taken for granted, stands in ARCHITECTURE.md.

mod around;
mod brain;
mod calls;
mod likeness;
mod procedure;
mod records;
mod search;
mod world;

use brain::Brain;
use escalator::escalation::invariant::Invariant;
use procedure::{Model, Protocol};
use search::{Explored, explore};
use std::io::Write as _;
use std::time::Instant;
use world::{Budget, Genesys, State};

/// One small world.
struct Scenario {
    name: &'static str,
    /// Incidents about the one conversation.
    incidents: usize,
    workers: usize,
    /// Of each message.
    copies: u8,
    resolves: bool,
    /// 0: they are not counted.
    attempts_max: u8,
    genesys: Genesys,
    budget: Budget,
    /// The budget of `make model`.
    large: Budget,
}

const ALONE: Scenario = Scenario {
    name: "one worker",
    incidents: 1,
    workers: 1,
    copies: 1,
    resolves: false,
    attempts_max: 0,
    genesys: Genesys::Sessions,
    budget: budget(0, 0, 0, 0, 0),
    large: budget(1, 1, 1, 1, 0),
};

const fn budget(faults: u8, trouble: u8, crashes: u8, stalls: u8, changes: u8) -> Budget {
    Budget {
        faults,
        trouble,
        crashes,
        stalls,
        changes,
    }
}

fn run(scenario: &Scenario, protocol: Protocol, only_damage: bool) -> Explored {
    let model = Model {
        protocol,
        keys: scenario.incidents,
        workers: scenario.workers,
        attempts_max: scenario.attempts_max,
        resolves: scenario.resolves,
        only_damage,
        brain: Brain::default(),
    };
    let broken = protocol != Protocol::default();
    let budget = match std::env::var("ESCALATOR_MODEL").as_deref() {
        Ok("large") if !broken => scenario.large,
        Ok(_) | Err(_) => scenario.budget,
    };
    let mut start = State {
        budget,
        genesys: scenario.genesys,
        ..State::default()
    };
    for key in 0..scenario.incidents {
        start.queue[key] = scenario.copies;
    }
    let began = Instant::now();
    let explored = explore(&model, start);
    // Not `println!`, which a test that passes keeps to itself.
    let _ = writeln!(
        std::io::stdout(),
        "model, {}{}, {}: {} states, {} transitions, {} moves deep, {:.1?}",
        scenario.name,
        if broken { " (broken)" } else { "" },
        budget,
        explored.states,
        explored.transitions,
        explored.depth,
        began.elapsed(),
    );
    explored
}

/// Visits all of it: no invariant is broken anywhere, and from everywhere there is a way to an end.
fn holds(scenario: &Scenario) {
    let explored = run(scenario, Protocol::default(), false);
    if let Some((broken, trace)) = explored.violation {
        panic!("{broken}\n{}", in_lines(&trace));
    }
    if let Some(trace) = explored.stuck {
        panic!("it can never end after\n{}", in_lines(&trace));
    }
    assert!(explored.ends > 0);
}

/// Breaks the protocol: the first thing found broken, looking at everything and then at the damage alone.
fn finds(scenario: &Scenario, protocol: Protocol) -> (Invariant, Invariant) {
    let first = run(scenario, protocol, false).violation;
    let (first, _) = first.expect("something is broken, and nothing was found");
    let damage = run(scenario, protocol, true).violation;
    let (damage, trace) = damage.expect("something is broken, and nobody would notice");
    let _ = writeln!(
        std::io::stdout(),
        "{}: {damage}\n{}",
        scenario.name,
        in_lines(&trace)
    );
    (first.invariant, damage.invariant)
}

fn in_lines(trace: &[String]) -> String {
    let numbered = trace.iter().enumerate();
    numbered
        .map(|(at, line)| format!("  {:>2}. {line}\n", at + 1))
        .collect()
}

#[test]
fn undisturbed_it_ends() {
    holds(&ALONE);
}

#[test]
fn whatever_becomes_of_the_calls_of_a_worker_that_may_crash() {
    holds(&Scenario {
        name: "one worker, resolved at any time",
        resolves: true,
        budget: budget(2, 0, 1, 0, 0),
        large: budget(3, 0, 1, 0, 0),
        ..ALONE
    });
}

#[test]
fn whatever_becomes_of_the_ledger() {
    holds(&Scenario {
        name: "one worker, a ledger that fails, resolved at any time",
        resolves: true,
        budget: budget(1, 1, 1, 0, 0),
        large: budget(2, 1, 1, 0, 0),
        ..ALONE
    });
}

#[test]
fn whoever_ends_sessions_or_starts_others_or_hangs_up() {
    holds(&Scenario {
        name: "one worker, a conversation that changes",
        budget: budget(1, 0, 1, 0, 2),
        large: budget(2, 0, 1, 0, 2),
        ..ALONE
    });
}

#[test]
fn when_the_attempts_are_spent() {
    holds(&Scenario {
        name: "one worker, at most 2 attempts, resolved at any time",
        attempts_max: 2,
        resolves: true,
        budget: budget(2, 0, 1, 0, 0),
        large: budget(3, 0, 1, 0, 0),
        ..ALONE
    });
}

#[test]
fn two_workers_with_the_same_message_of_which_one_may_crash() {
    holds(&Scenario {
        name: "two workers, one message twice, resolved at any time",
        workers: 2,
        copies: 2,
        resolves: true,
        budget: budget(0, 0, 1, 1, 0),
        large: budget(1, 0, 1, 1, 0),
        ..ALONE
    });
}

#[test]
fn two_workers_with_the_same_message_whose_answers_may_be_lost() {
    holds(&Scenario {
        name: "two workers, one message twice",
        workers: 2,
        copies: 2,
        budget: budget(1, 0, 0, 1, 0),
        large: budget(2, 0, 0, 1, 0),
        ..ALONE
    });
}

#[test]
fn two_incidents_of_one_conversation_of_whose_workers_one_may_crash() {
    holds(&Scenario {
        name: "two workers, two incidents of one conversation",
        incidents: 2,
        workers: 2,
        budget: budget(0, 0, 1, 0, 0),
        large: budget(0, 0, 1, 1, 0),
        ..ALONE
    });
}

#[test]
fn two_incidents_of_one_conversation_whose_answers_may_be_lost() {
    holds(&Scenario {
        name: "one worker, two incidents of one conversation, resolved at any time",
        incidents: 2,
        resolves: true,
        budget: budget(1, 0, 0, 0, 0),
        large: budget(1, 0, 1, 0, 0),
        ..ALONE
    });
}

#[test]
fn two_incidents_of_one_conversation_that_changes() {
    holds(&Scenario {
        name: "two workers, two incidents of one conversation that changes",
        incidents: 2,
        workers: 2,
        budget: budget(0, 0, 0, 0, 1),
        large: budget(0, 0, 0, 1, 1),
        ..ALONE
    });
}

/// The published contract, by what the other side shows, and by what we know of that.
const OFFERED: [(&str, Genesys); 3] = [
    (
        "offers, shown and known to be",
        Genesys::Conversation {
            shows: true,
            known: true,
        },
    ),
    (
        "offers, shown",
        Genesys::Conversation {
            shows: true,
            known: false,
        },
    ),
    (
        "offers, never shown",
        Genesys::Conversation {
            shows: false,
            known: false,
        },
    ),
];

#[test]
fn whatever_becomes_of_an_offer_by_a_worker_that_may_crash() {
    for (name, genesys) in OFFERED {
        holds(&Scenario {
            name,
            genesys,
            resolves: true,
            budget: budget(2, 0, 1, 0, 0),
            large: budget(3, 0, 1, 0, 0),
            ..ALONE
        });
    }
}

#[test]
fn whatever_becomes_of_an_offer_in_a_conversation_that_changes() {
    for (name, genesys) in OFFERED {
        holds(&Scenario {
            name,
            genesys,
            attempts_max: 2,
            budget: budget(2, 0, 0, 0, 1),
            large: budget(2, 0, 1, 0, 2),
            ..ALONE
        });
    }
}

#[test]
fn whatever_becomes_of_an_offer_and_of_the_ledger() {
    for (name, genesys) in OFFERED {
        holds(&Scenario {
            name,
            genesys,
            resolves: true,
            budget: budget(1, 1, 1, 0, 0),
            large: budget(2, 1, 1, 0, 0),
            ..ALONE
        });
    }
}

#[test]
fn two_workers_and_two_incidents_of_one_conversation_make_one_offer() {
    for (name, genesys) in OFFERED {
        holds(&Scenario {
            name,
            genesys,
            incidents: 2,
            workers: 2,
            budget: budget(0, 0, 1, 0, 0),
            large: budget(0, 0, 1, 1, 0),
            ..ALONE
        });
        holds(&Scenario {
            name,
            genesys,
            workers: 2,
            copies: 2,
            budget: budget(1, 0, 0, 1, 0),
            large: budget(1, 0, 1, 1, 0),
            ..ALONE
        });
    }
}

#[test]
fn without_the_settle_time_a_late_request_offers_a_second_session() {
    let protocol = Protocol {
        no_settling: true,
        ..Protocol::default()
    };
    let (name, genesys) = OFFERED[0];
    let scenario = Scenario {
        name,
        genesys,
        budget: budget(1, 0, 0, 0, 0),
        ..ALONE
    };
    let found = finds(&scenario, protocol);
    let expected = (Invariant::SettledBeforeRepeat, Invariant::OneLiveAttachment);
    assert_eq!(found, expected);
}

#[test]
fn without_the_intent_a_crash_attaches_a_second_session() {
    let protocol = Protocol {
        no_intent: true,
        ..Protocol::default()
    };
    let scenario = Scenario {
        name: "called first, recorded after",
        budget: budget(0, 0, 1, 0, 0),
        ..ALONE
    };
    let found = finds(&scenario, protocol);
    let expected = (Invariant::IntentBeforeWrite, Invariant::OneLiveAttachment);
    assert_eq!(found, expected);
}

#[test]
fn without_the_settle_time_a_late_request_attaches_a_second_session() {
    let protocol = Protocol {
        no_settling: true,
        ..Protocol::default()
    };
    let scenario = Scenario {
        name: "looked up without settling",
        budget: budget(1, 0, 0, 0, 0),
        ..ALONE
    };
    let found = finds(&scenario, protocol);
    let expected = (Invariant::SettledBeforeRepeat, Invariant::OneLiveAttachment);
    assert_eq!(found, expected);
}

#[test]
fn acked_before_the_record_a_crash_loses_an_escalation() {
    let protocol = Protocol {
        ack_first: true,
        ..Protocol::default()
    };
    let scenario = Scenario {
        name: "acked before the record",
        budget: budget(0, 0, 1, 0, 0),
        ..ALONE
    };
    let found = finds(&scenario, protocol);
    assert_eq!(
        found,
        (Invariant::RecordBeforeAck, Invariant::RecordBeforeAck)
    );
}

#[test]
fn without_fencing_a_worker_that_was_thought_dead_writes_a_second_note() {
    let protocol = Protocol {
        no_fencing: true,
        ..Protocol::default()
    };
    let scenario = Scenario {
        name: "without fencing",
        workers: 2,
        copies: 2,
        budget: budget(0, 0, 0, 1, 0),
        ..ALONE
    };
    let (_, damage) = finds(&scenario, protocol);
    assert_eq!(damage, Invariant::OneNote);
}

#[test]
fn without_the_claim_on_the_conversation_two_incidents_attach_two_sessions() {
    let protocol = Protocol {
        no_conversation_claim: true,
        ..Protocol::default()
    };
    let scenario = Scenario {
        name: "without a claim on the conversation",
        incidents: 2,
        workers: 2,
        ..ALONE
    };
    let (_, damage) = finds(&scenario, protocol);
    assert_eq!(damage, Invariant::OneLiveAttachment);
}
