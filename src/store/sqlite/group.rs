//! One group: what callers asked for becomes one transaction, and each gets its answer once that is committed.

use super::{accept::Transaction, file::Fault};
use crate::{
    event::DestinationName,
    store::{
        error::{Refusal, StoreError},
        mailbox::{AcceptJob, Answer, Work},
        types::Accepted,
        waiting::Waiting,
    },
};

/// An answer that waits for the commit.
pub(super) enum Pending {
    Accept(Answer<Accepted>, Accepted),
    /// Not reached: refused with the group.
    Unreached(Answer<Accepted>),
    Done(Answer<()>),
    Moved(
        Answer<Vec<(DestinationName, u64)>>,
        Vec<(DestinationName, u64)>,
    ),
    Dropped(Answer<u64>, u64),
    /// One slice of it is done.
    More(Work),
}

/// Accepts all, or says at which the disk failed.
pub(super) fn accept_all(
    transaction: &mut Transaction<'_>,
    accepts: Vec<AcceptJob>,
    answers: &mut Vec<Pending>,
) -> Result<(), Fault> {
    let mut fault = None;
    for AcceptJob { accept, answer } in accepts {
        if fault.is_some() {
            answers.push(Pending::Unreached(answer));
            continue;
        }
        match transaction.accept(accept) {
            Ok(accepted) => answers.push(Pending::Accept(answer, accepted)),
            Err(error) => {
                answers.push(Pending::Unreached(answer));
                fault = Some(error);
            }
        }
    }
    fault.map_or(Ok(()), Err)
}

/// One call other than an accept, or one slice of it.
pub(super) fn do_work(
    transaction: &mut Transaction<'_>,
    work: Work,
    waiting: &Waiting,
    answers: &mut Vec<Pending>,
) -> Result<(), Fault> {
    match work {
        Work::Finish(finishes, answer) => {
            answers.push(Pending::Done(answer));
            finishes.iter().try_for_each(|it| transaction.finish(it))
        }
        Work::Settle(settlements, answer) => {
            answers.push(Pending::Done(answer));
            settlements.iter().try_for_each(|it| transaction.settle(it))
        }
        Work::PutToken(connection, sealed, answer) => {
            answers.push(Pending::Done(answer));
            transaction.put_token(&connection, &sealed)
        }
        Work::PutTokenRequests(connection, sent, answer) => {
            answers.push(Pending::Done(answer));
            transaction.put_token_requests(&connection, &sent)
        }
        Work::CloseGap(no, answer) => {
            answers.push(Pending::Done(answer));
            transaction.close_gap(no)
        }
        Work::KeepDestinations {
            present,
            mut moved,
            answer,
        } => {
            let all = transaction.keep_destinations(&present, &mut moved);
            answers.push(match &all {
                // A new file may want what nobody waits for any more.
                Ok(false) if !answer.is_closed() => Pending::More(Work::KeepDestinations {
                    present,
                    moved,
                    answer,
                }),
                Ok(_) | Err(_) => Pending::Moved(answer, moved.into_iter().collect()),
            });
            all.map(drop)
        }
        Work::DropOldest {
            destination,
            left,
            dropped,
            answer,
        } => {
            let slice = transaction.drop_oldest(&destination, left, waiting);
            answers.push(match &slice {
                Ok((count, true)) => Pending::More(Work::DropOldest {
                    destination,
                    left: left.saturating_sub(*count),
                    dropped: dropped + count,
                    answer,
                }),
                Ok((count, false)) => Pending::Dropped(answer, dropped + count),
                Err(_) => Pending::Dropped(answer, dropped),
            });
            slice.map(drop)
        }
    }
}

impl Pending {
    /// Whether its call ends with it.
    pub(super) const fn ends(&self) -> bool {
        !matches!(self, Self::More(_))
    }

    /// Sends the answer; gives back work that goes on.
    pub(super) fn answer(self, refusal: Option<&Refusal>) -> Option<Work> {
        let error = || refusal.map(|it| StoreError::from(it.clone()));
        match self {
            Self::Accept(answer, accepted) => drop(answer.send(error().map_or(Ok(accepted), Err))),
            Self::Unreached(answer) => {
                let refusal = refusal.cloned().unwrap_or(Refusal::Busy);
                drop(answer.send(Err(refusal.into())));
            }
            Self::Done(answer) => drop(answer.send(error().map_or(Ok(()), Err))),
            Self::Moved(answer, moved) => drop(answer.send(error().map_or(Ok(moved), Err))),
            Self::Dropped(answer, count) => drop(answer.send(error().map_or(Ok(count), Err))),
            Self::More(work) => match refusal {
                Some(refusal) => work.refuse(refusal),
                None => return Some(work),
            },
        }
        None
    }
}

/// Sends answers that end their calls.
pub(super) async fn tell(answers: Vec<Pending>, refusal: Option<Refusal>) {
    for pending in answers {
        pending.answer(refusal.as_ref());
    }
}

/// Answers all that nothing was written.
pub(super) fn refuse(accepts: Vec<AcceptJob>, refusal: &Refusal) {
    for job in accepts {
        drop(job.answer.send(Err(refusal.clone().into())));
    }
}
