//! When two states are alike: what has been counts only as far as any rule can still see it.

use super::world::{Intent, Kind, Phase, SETTLE, State, Time, Worker, Write};

/// Two times further apart than this are told apart by no rule.
const FAR: Time = SETTLE + 1;

impl State {
    /// Nobody will act any more on what this worker intended.
    pub(super) fn disown(&mut self, w: usize) {
        let by = w as u8 + 1;
        self.each_intent(|intent| {
            if intent.by == by {
                intent.by = 0;
            }
        });
        for request in &mut self.requests {
            if request.by == by {
                request.by = 0;
            }
        }
    }

    fn each_intent(&mut self, mut change: impl FnMut(&mut Intent)) {
        let records = self
            .rows
            .iter_mut()
            .map(|row| &mut row.progress)
            .chain(self.workers.iter_mut().map(|worker| &mut worker.progress));
        for progress in records {
            progress.note.intent().into_iter().for_each(&mut change);
        }
        let all = std::iter::once(&mut self.cobrowse)
            .chain(self.workers.iter_mut().map(|worker| &mut worker.cobrowse));
        for cobrowse in all {
            cobrowse.session.intent().into_iter().for_each(&mut change);
            cobrowse.media.intent().into_iter().for_each(&mut change);
        }
    }

    fn each_time(&mut self, mut change: impl FnMut(&mut Time)) {
        self.each_intent(|intent| {
            change(&mut intent.deadline);
            intent.absent.iter_mut().for_each(&mut change);
        });
        let all = std::iter::once(&mut self.cobrowse)
            .chain(self.workers.iter_mut().map(|worker| &mut worker.cobrowse));
        for cobrowse in all {
            if let Write::Done(at) = &mut cobrowse.media {
                change(at);
            }
        }
        for worker in &mut self.workers {
            worker.survey.iter_mut().for_each(|s| change(&mut s.at));
            worker.look.iter_mut().for_each(|l| change(&mut l.at));
        }
        self.requests.iter_mut().for_each(|r| change(&mut r.latest));
    }

    /// One unit of time passes. What could still have taken effect cannot any more.
    pub(super) fn tick(&mut self) {
        self.each_time(|time| *time -= 1);
        self.requests.retain(|r| r.latest > 0 || r.by != 0);
    }

    /// Makes two states equal that no rule can tell apart: what will not be looked at again is dropped, gaps between times
    /// that have been are shortened to what the longest span in any comparison can still see.
    pub(super) fn settle(mut self) -> Self {
        let offers = self.genesys.offers();
        self.workers
            .iter_mut()
            .for_each(|worker| worker.forget(offers));
        let mut past = 1_u128;
        self.each_time(|time| {
            if *time < 0 {
                past |= 1 << -*time;
            }
        });
        let mut moved = [0; 128];
        let (mut last, mut to, mut shorter) = (0, 0, false);
        let mut rest = past & !1;
        while rest != 0 {
            let ago = rest.trailing_zeros() as Time;
            rest &= rest - 1;
            to += (ago - last).min(FAR);
            last = ago;
            shorter |= to != ago;
            moved[ago as usize] = to;
        }
        if shorter {
            self.each_time(|time| {
                if *time < 0 {
                    *time = -moved[-*time as usize];
                }
            });
        }
        if self.requests.len() > 1 {
            self.requests
                .sort_unstable_by_key(|r| (r.by, r.key, r.latest, r.landed, order(r.kind)));
        }
        self
    }
}

impl Worker {
    /// Drops what `decide` will not look at any more.
    fn forget(&mut self, offers: bool) {
        if self.phase == Phase::Ready && !self.unsent {
            self.asked_before = false;
        }
        let session = match self.cobrowse.session {
            Write::Done(id) => id,
            Write::Open | Write::Intended(_) => 0,
        };
        match self.phase {
            Phase::Calling(Kind::Attach(_) | Kind::Note) => self.survey = None,
            Phase::Calling(Kind::Create) if offers => self.survey = None,
            Phase::Calling(Kind::Create)
            | Phase::Idle
            | Phase::Ready
            | Phase::Recorded(_)
            | Phase::Letter
            | Phase::LetterOut
            | Phase::Acked(_) => {}
        }
        if self.progress.offer.is_some() {
            self.survey = None;
        }
        // An offer in doubt is looked for in the conversation, by when it was read.
        let looked_for =
            offers && matches!(self.cobrowse.session, Write::Intended(_)) && !self.unsent;
        if let Some(survey) = &mut self.survey
            && !looked_for
            && (self.cobrowse.media == Write::Open || survey.attached == session)
        {
            // When it was read says nothing about a write that was not sent, nor about one that it shows.
            survey.at = 0;
        }
        match (self.progress.note, &mut self.look) {
            (Write::Intended(_), Some(look)) if look.found => look.at = 0,
            (Write::Intended(_), _) if !matches!(self.phase, Phase::Calling(_)) => {}
            (_, look) => *look = None,
        }
    }
}

fn order(kind: Kind) -> u8 {
    match kind {
        Kind::Create => 0,
        Kind::Note => 1,
        Kind::Attach(session) => 2 + session,
    }
}
