#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::pacing::Account;

/// A budget in memory, and all that was asked of it.
#[derive(Default)]
struct Kept {
    account: Mutex<Account>,
    asked: Mutex<Vec<Exchange>>,
    away: std::sync::atomic::AtomicBool,
    began: Option<Instant>,
}

#[async_trait]
impl PermitSource for Kept {
    async fn exchange(&self, _: &str, asked: Exchange) -> Result<Grant, String> {
        if self.away.load(std::sync::atomic::Ordering::SeqCst) {
            return Err("away".to_owned());
        }
        let now = self.began.unwrap().elapsed().as_millis();
        let grant = self
            .account
            .lock()
            .unwrap()
            .exchange(i64::try_from(now).unwrap(), &asked);
        self.asked.lock().unwrap().push(asked);
        Ok(grant)
    }
}

fn kept() -> Arc<Kept> {
    Arc::new(Kept {
        began: Some(Instant::now()),
        ..Kept::default()
    })
}

fn permits(kept: &Arc<Kept>, limit: u32) -> Arc<Permits> {
    let call = Duration::from_secs(1);
    Arc::new(Permits::new("a".to_owned(), limit, call, kept.clone()))
}

fn at(lane: Lane, step: Step) -> Priority {
    Priority { lane, step }
}

const SOME: Priority = Priority::LOWEST;

#[tokio::test]
async fn one_question_serves_many_and_what_ended_is_said_with_the_next() {
    let kept = kept();
    let permits = permits(&kept, 6000);
    let all = futures_util::future::join_all((0..20).map(|_| permits.take(SOME))).await;
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 20);
    assert_eq!(kept.asked.lock().unwrap().len(), 1);
    for (number, permit) in all.into_iter().enumerate() {
        let mut permit = permit.unwrap();
        if number < 15 {
            permit.sends();
        }
    }
    permits.give_back().await;
    let asked = kept.asked.lock().unwrap();
    let said = asked.last().unwrap();
    let ended: u32 = said.ended.iter().map(|(_, count)| count).sum();
    // What was not used, and what was taken ahead, is given back by not being had any more.
    assert_eq!((ended, said.holding, said.wanted), (15, 0, 0));
}

/// In which order these get the permits that come one by one.
async fn order(mut waiting: Vec<Priority>) -> Vec<Priority> {
    let kept = kept();
    let permits = permits(&kept, 6000);
    let first = permits.take(SOME).await.unwrap();
    // Only this one is left in circulation.
    permits.lock().stock.clear();
    kept.away.store(true, std::sync::atomic::Ordering::SeqCst);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut tasks = tokio::task::JoinSet::new();
    let count = waiting.len();
    for priority in waiting.drain(..) {
        let (permits, tell) = (permits.clone(), tell.clone());
        tasks.spawn(async move {
            let permit = permits.take(priority).await.unwrap();
            tell.send(priority).unwrap();
            // Not sent: it goes to the next.
            drop(permit);
        });
    }
    while permits.lock().waiting.len() < count {
        tokio::task::yield_now().await;
    }
    drop(first);
    let mut order = Vec::new();
    while order.len() < count {
        order.push(told.recv().await.unwrap());
    }
    order
}

#[tokio::test]
async fn the_urgent_come_first_then_those_that_are_nearest_to_the_end() {
    use Lane::{High, Normal};
    let order = order(vec![
        at(Normal, Step::Session),
        at(Normal, Step::Note),
        at(High, Step::Session),
        at(High, Step::Verify),
    ]);
    let wanted = [
        at(High, Step::Verify),
        at(High, Step::Session),
        at(Normal, Step::Note),
        at(Normal, Step::Session),
    ];
    assert_eq!(order.await, wanted);
}

#[tokio::test]
async fn one_permit_in_ten_goes_to_the_normal_lane_first() {
    let urgent = at(Lane::High, Step::Session);
    let normal = at(Lane::Normal, Step::Session);
    let mut waiting = vec![urgent; 25];
    waiting.extend([normal; 5]);
    let order = order(waiting).await;
    let normals = order.iter().enumerate().filter(|(_, one)| **one == normal);
    let at: Vec<usize> = normals.map(|(at, _)| at).collect();
    // The first of all permits was taken before these came.
    assert_eq!(at.get(..2), Some(&[8, 18][..]), "{at:?}");
}

#[tokio::test]
async fn who_goes_away_takes_no_permit_along() {
    let kept = kept();
    let permits = permits(&kept, 60);
    let mut taken = Vec::new();
    for _ in 0..5 {
        taken.push(permits.take(SOME).await.unwrap());
    }
    let impatient = tokio::time::timeout(Duration::from_millis(20), permits.take(SOME));
    assert!(impatient.await.is_err());
    drop(taken);
    assert_eq!(permits.lock().stock.len(), 5);
}

#[tokio::test]
async fn nobody_gets_a_permit_while_the_budget_is_away_and_everybody_once_it_is_back() {
    let kept = kept();
    kept.away.store(true, std::sync::atomic::Ordering::SeqCst);
    let permits = permits(&kept, 6000);
    let waits = tokio::spawn({
        let permits = permits.clone();
        async move { permits.take(SOME).await.is_ok() }
    });
    let impatient = tokio::time::timeout(Duration::from_millis(100), permits.take(SOME));
    assert!(impatient.await.is_err());
    kept.away.store(false, std::sync::atomic::Ordering::SeqCst);
    assert!(waits.await.unwrap());
}

#[tokio::test]
async fn what_one_worker_was_told_all_hear() {
    let kept = kept();
    let (one, other) = (permits(&kept, 6000), permits(&kept, 6000));
    one.close_for(Duration::from_secs(7));
    one.report_now().await;
    match other.take(SOME).await {
        Err(left) => assert!(left > Duration::from_secs(6), "{left:?}"),
        Ok(_) => panic!("a permit was given"),
    }
}
