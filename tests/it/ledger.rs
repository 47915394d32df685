//! The conformance suite of the ledger: written once against the trait, run on every implementation.
//!
//! Every function of the rooms takes a ledger of its own (`retention` forgets whatever is there). An implementation
//! passes by having [`suite!`] made into tests; what it promises beyond the trait it tests beside that (`sqlite`,
//! `postgres`).

mod claims;
mod conversations;
mod crew;
mod findings;
mod gauges;
mod generations;
mod intents;
mod letters;
mod listing;
mod older;
mod permits;
mod postgres;
mod records;
mod replays;
mod retention;
mod sqlite;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use escalator::escalation::{
    Cobrowse, ConversationId, Entry, EntryKind, EventId, IncidentId, Key, Lane, Origin, Progress,
    SessionId, Step, Trigger, Write,
};
use escalator::ledger::{
    Arrival, Claim, ClaimRequest, CobrowseRecord, ConversationClaim, ConversationRequest, Granted,
    Held, HeldConversation, Ledger, LinkChange, Record, Then,
};
use jiff::Timestamp;

/// Longer than any test: a lease that does not end.
const LONG: Duration = Duration::from_secs(600);
/// Older than this no escalation of these tests is, whose times are of some other year.
const NEVER: Duration = Duration::from_secs(3_000_000_000);
/// A lease that is meant to end.
const SHORT: Duration = Duration::from_secs(2);

/// Makes the whole suite into tests of one implementation; `$fresh` opens a ledger, with whatever has to live as long.
macro_rules! suite {
    ($fresh:path) => {
        $crate::ledger::suite! { $fresh;
            findings {
                nothing_is_known_of_a_genesys_before_somebody_has_looked
                what_was_learned_of_a_genesys_is_known_to_all_and_only_of_that_one
                of_many_who_look_first_at_once_all_hear_the_same
            }
            permits {
                of_many_who_ask_at_once_all_together_get_no_more_than_there_is
                what_one_says_of_a_vendor_all_others_hear
            }
            crew {
                whoever_reports_hears_the_newest_order
                who_was_heard_of_is_known_and_who_has_left_is_not
                what_operators_did_is_told_newest_first
            }
            claims {
                of_fifty_claims_at_once_one_is_granted
                a_lease_that_ended_is_granted_again_as_recovered
                what_was_given_back_is_granted_at_once_and_not_as_recovered
                epochs_only_grow
                a_renewed_lease_outlives_its_first_span
                what_was_given_back_cannot_be_renewed
                every_lease_that_was_not_given_back_is_counted
                an_old_epoch_can_write_nothing
                whoever_has_ended_it_can_write_nothing_more
                an_ended_escalation_says_how_it_ended
                only_a_dead_escalation_can_have_its_dead_letter_published
                a_ledger_that_is_there_answers
            }
            conversations {
                of_two_escalations_at_once_one_gets_the_conversation
                the_same_escalation_gets_its_conversation_again
                a_conversation_whose_lease_ended_goes_to_the_next
                a_conversation_given_back_with_a_record_is_free_at_once
                a_conversation_given_back_at_the_end_is_free_at_once
                a_conversation_that_its_holder_does_not_know_of_is_free_with_the_escalation
                only_who_holds_the_escalation_gets_its_conversation
                an_old_epoch_of_the_conversation_undoes_the_whole_record
                an_old_epoch_of_the_conversation_cannot_be_given_back
                both_leases_are_renewed_or_neither
                a_link_is_shown_for_its_session_only
            }
            generations {
                without_any_generation_the_current_one_is_the_first
                the_current_generation_is_the_newest
                a_reopening_is_a_generation_of_its_own_however_often_it_is_delivered
                a_reopening_waits_for_an_earlier_generation_that_is_open
                an_earlier_generation_never_waits_for_a_later_one
                a_reopening_does_not_wait_for_one_that_nobody_holds_and_that_is_too_old
                the_latest_resolution_counts_whatever_the_order
                a_resolution_is_seen_by_every_answer
                a_resolution_is_of_one_incident_only
            }
            records {
                progress_comes_back_as_it_was_recorded
                the_first_message_of_a_key_says_when_it_was_accepted
                history_keeps_its_order_over_many_records
                nobody_has_a_history_before_it_has_one
            }
            intents {
                where_no_session_is_known_the_claim_puts_the_intent_down
                of_two_intents_at_once_one_is_put_down
                where_something_is_known_the_intent_is_not_put_down
                a_resolution_since_then_forbids_the_intent
                an_older_resolution_does_not_forbid_the_intent
                an_old_epoch_puts_no_intent_down
            }
            listing {
                an_incident_s_generations_are_known_oldest_first
                what_is_known_of_an_escalation_is_what_was_recorded
                a_list_shows_the_newest_first_and_goes_on_where_it_stopped
                a_list_keeps_to_every_filter_that_it_is_given
                the_history_tells_how_it_came_here_and_who_claimed_it
                a_lease_that_ended_is_told_by_whoever_takes_over
            }
            letters {
                a_letter_is_kept_once_however_often_it_comes
                of_many_who_keep_a_letter_at_once_one_has_kept_it
                a_letter_of_an_escalation_that_ended_well_is_closed_at_once
                what_a_worker_says_takes_the_place_of_what_the_broker_says
                a_resolution_that_the_broker_gave_up_is_noted_and_tells_nobody
                a_note_in_doubt_is_not_written_over_by_that_of_the_death
                whoever_dies_after_a_discard_waits_for_a_person_anew
                letters_are_listed_newest_first_and_keep_to_every_filter
                groups_count_by_code_and_by_what_the_reasons_have_in_common
                a_discard_closes_what_is_open_and_leaves_what_a_replay_has
                a_corrected_copy_stands_in_the_place_of_its_original
                what_may_have_been_written_is_not_edited
                a_notice_is_one_s_for_a_time_and_an_old_number_records_nothing
                what_was_closed_long_ago_is_forgotten_and_what_is_open_is_not
            }
            replays {
                a_replay_begins_once_and_is_audited_once
                of_two_replays_at_once_each_letter_is_one_s
                a_staged_escalation_is_open_again_and_staging_says_the_same_twice
                whoever_dies_again_leaves_a_letter_that_follows_the_first
                what_has_ended_well_or_is_in_hand_is_not_begun_anew
                what_was_never_claimed_begins_in_the_cycle_of_its_message
                bytes_that_nobody_can_read_are_not_replayed
                a_staged_entry_can_only_be_published
                a_cancelled_replay_lets_go_what_was_not_begun
                what_is_marked_once_a_replay_is_told_to_stop_is_nobody_s
                a_replay_whose_beginning_was_cut_off_does_not_end_as_done
                every_letter_of_an_escalation_is_handed_on_with_the_one_that_is_replayed
                one_drives_a_replay_at_a_time
                a_replay_ends_once_and_only_when_nothing_is_left
                what_the_incident_was_told_goes_with_the_replay
            }
            gauges {
                a_new_ledger_stands_at_nothing
                open_escalations_are_told_apart_by_whether_they_wait_for_an_agent
                letters_and_replays_are_counted_until_they_are_over
                permits_that_are_out_are_counted_by_their_account
            }
            retention {
                what_ended_long_ago_is_forgotten_with_all_that_belongs_to_it
                what_is_held_or_young_is_kept
                a_conversation_that_others_still_tell_of_is_kept
                a_link_is_forgotten_before_its_escalation
                not_more_is_forgotten_in_one_call_than_was_asked_for
                a_history_longer_than_one_call_may_take_goes_bit_by_bit
            }
        }
    };
    ($fresh:path; $($room:ident { $($case:ident)* })*) => {$($(
        #[tokio::test(flavor = "multi_thread")]
        async fn $case() {
            let (ledger, _kept) = $fresh().await;
            $crate::ledger::$room::$case(ledger).await;
        }
    )*)*};
}
use suite;

/// A name that nobody else in this or any other run has.
fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = Timestamp::now().as_nanosecond();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}{now}-{}-{count}", std::process::id())
}

fn incident() -> IncidentId {
    IncidentId::parse(&unique("Q")).unwrap()
}

fn conversation() -> ConversationId {
    ConversationId::parse(&unique("c")).unwrap()
}

fn session() -> SessionId {
    SessionId::parse(&unique("s")).unwrap()
}

fn event() -> EventId {
    EventId::parse(&unique("01")).unwrap()
}

/// A time of PagerDuty's clock, so many seconds after some beginning.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

/// A claim on the first generation, for ever.
fn first(incident: &IncidentId) -> ClaimRequest {
    ClaimRequest {
        incident: incident.clone(),
        trigger: Trigger::First,
        cycle: 0,
        accepted_at: at(1),
        occurred_at: at(0),
        owner: "it/1".to_owned(),
        lease: LONG,
        expires_after: NEVER,
        arrival: Arrival {
            origin: Origin::Webhook,
            lane: Lane::High,
            event_kind: "incident.triggered".to_owned(),
            event: None,
            redelivered: false,
        },
    }
}

fn shortly(request: ClaimRequest) -> ClaimRequest {
    ClaimRequest {
        lease: SHORT,
        ..request
    }
}

fn reopened(incident: &IncidentId, event: &EventId, second: i64) -> ClaimRequest {
    ClaimRequest {
        trigger: Trigger::Reopened {
            event: event.clone(),
        },
        occurred_at: at(second),
        ..first(incident)
    }
}

fn key_of(claim: &Claim) -> &Key {
    match claim {
        Claim::Granted(granted) => &granted.held.key,
        Claim::Held { key, .. }
        | Claim::Waits { key, .. }
        | Claim::Outdated { key }
        | Claim::Ended { key, .. } => key,
    }
}

async fn granted(ledger: &dyn Ledger, request: ClaimRequest) -> Granted {
    match ledger.claim(request).await.unwrap() {
        Claim::Granted(granted) => *granted,
        other => panic!("not granted: {other:?}"),
    }
}

/// The same once the lease of whoever holds it has ended.
async fn granted_when_free(ledger: &dyn Ledger, request: ClaimRequest) -> Granted {
    loop {
        match ledger.claim(request.clone()).await.unwrap() {
            Claim::Granted(granted) => return *granted,
            Claim::Held { free_in, .. } => {
                assert!(free_in <= SHORT, "{free_in:?} is longer than the lease");
                // The end of a lease is nothing but time passing: there is no event to wait for.
                tokio::time::sleep(free_in).await;
            }
            other => panic!("neither granted nor held: {other:?}"),
        }
    }
}

/// Waits until a lease of [`SHORT`] that was granted before has ended.
async fn lease_ended() {
    // The end of a lease is nothing but time passing: there is no event to wait for.
    tokio::time::sleep(SHORT + Duration::from_millis(20)).await;
}

/// A request for a conversation, without an intent.
fn wants(held: &Held, conversation: &ConversationId, lease: Duration) -> ConversationRequest {
    ConversationRequest {
        held: held.clone(),
        conversation: conversation.clone(),
        lease,
        intend: None,
    }
}

async fn conversation_granted(
    ledger: &dyn Ledger,
    held: &Held,
    conversation: &ConversationId,
    lease: Duration,
) -> (HeldConversation, Cobrowse) {
    match ledger
        .claim_conversation(wants(held, conversation, lease))
        .await
        .unwrap()
    {
        ConversationClaim::Granted { held, cobrowse, .. } => (held, cobrowse),
        other => panic!("not granted: {other:?}"),
    }
}

/// A record that changes nothing but the attempts and, by one line, the history.
fn record(held: &Held, then: Then) -> Record {
    Record {
        held: held.clone(),
        progress: Progress::default(),
        attempts: 0,
        cobrowse: None,
        history: vec![entry(held, "recorded")],
        then,
    }
}

fn release(held: &Held) -> Record {
    record(held, Then::Release { conversation: None })
}

fn entry(held: &Held, what: &str) -> Entry {
    Entry {
        at: at(2),
        epoch: held.epoch,
        kind: EntryKind::Answered,
        step: Some(Step::Session),
        what: what.to_owned(),
        code: None,
        took_ms: Some(7),
        correlation: None,
    }
}

/// A cobrowse record of a conversation whose session was created.
fn created(held: &HeldConversation, session: &SessionId, link: LinkChange) -> CobrowseRecord {
    CobrowseRecord {
        held: held.clone(),
        cobrowse: Cobrowse {
            session: Write::Done {
                at: at(3),
                result: session.clone(),
            },
            ..Cobrowse::default()
        },
        link,
    }
}

/// What the records have told, in its order.
async fn told(ledger: &dyn Ledger, key: &Key) -> Vec<String> {
    let history = ledger.history(key).await.unwrap().into_iter();
    history
        .filter(|entry| entry.kind == EntryKind::Answered)
        .map(|entry| entry.what)
        .collect()
}

/// Runs the same thing many times at once.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    run: impl Fn(usize) -> F,
) -> Vec<T> {
    let start = Arc::new(tokio::sync::Barrier::new(count));
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let (start, run) = (start.clone(), run(number));
            tokio::spawn(async move {
                start.wait().await;
                run.await
            })
        })
        .collect();
    let mut results = Vec::with_capacity(count);
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}
