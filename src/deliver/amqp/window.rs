//! How a window is sent: as a whole, or as much as goes together; where the broker closes its channel, again in pieces,
//! until the message that it is closed over is alone.

use std::collections::VecDeque;

/// Two rounds of so many pieces find one message among 200.
const PIECES: usize = 15;

/// Messages that are sent together, by their places in the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) places: Vec<usize>,
    /// Its channel was closed before: now it is alone to blame.
    again: bool,
}

/// What is still to be sent, in turn.
#[derive(Debug)]
pub(super) struct Groups(VecDeque<Group>);

impl Groups {
    /// All together, then the suspects one by one.
    pub(super) fn new(places: usize, is_suspect: impl Fn(usize) -> bool) -> Self {
        let (suspects, places): (Vec<_>, Vec<_>) =
            (0..places).partition(|place| is_suspect(*place));
        let together = Group {
            places,
            again: false,
        };
        let alone = suspects.into_iter().map(|place| Group {
            places: vec![place],
            again: true,
        });
        let groups = std::iter::once(together).chain(alone);
        Self(groups.filter(|it| !it.places.is_empty()).collect())
    }

    /// The next, cut to so many places: at least one.
    pub(super) fn next(&mut self, places_max: usize) -> Option<Group> {
        let mut group = self.0.pop_front()?;
        let places_max = places_max.max(1);
        if group.places.len() > places_max {
            let rest = Group {
                places: group.places.split_off(places_max),
                again: group.again,
            };
            self.0.push_front(rest);
        }
        Some(group)
    }

    /// The broker closed the channel of this group. Gives the one that is alone to blame, if it is found.
    pub(super) fn closed(&mut self, group: &Group) -> Option<usize> {
        match group.places.as_slice() {
            [place] if group.again => return Some(*place),
            places => {
                let size = places.len().div_ceil(PIECES).max(1);
                for piece in places.chunks(size).rev() {
                    self.0.push_front(Group {
                        places: piece.to_vec(),
                        again: true,
                    });
                }
            }
        }
        None
    }

    /// What was not sent.
    pub(super) fn rest(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().flat_map(|it| it.places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends 200 of which some close their channel; gives how many groups were sent and who was found.
    fn sent(poison: &[usize], suspects: &[usize]) -> (usize, Vec<usize>) {
        let mut groups = Groups::new(200, |place| suspects.contains(&place));
        let (mut count, mut found, mut passed) = (0, vec![], vec![]);
        while let Some(group) = groups.next(200) {
            count += 1;
            if group.places.iter().any(|it| poison.contains(it)) {
                found.extend(groups.closed(&group));
            } else {
                passed.extend(group.places);
            }
        }
        passed.extend(&found);
        passed.sort_unstable();
        assert_eq!(passed, (0..200).collect::<Vec<_>>());
        (count, found)
    }

    #[test]
    fn a_window_is_sent_as_a_whole() {
        assert_eq!(sent(&[], &[]), (1, vec![]));
        assert_eq!(sent(&[], &[3, 4]), (3, vec![]));
    }

    #[test]
    fn one_message_is_found_in_two_rounds() {
        assert_eq!(sent(&[0], &[]), (1 + 15 + 14, vec![0]));
        assert_eq!(sent(&[199, 77], &[77]).1, [199, 77]);
    }

    #[test]
    fn no_more_go_together_than_is_said_each_time() {
        let mut groups = Groups::new(10, |place| place == 9);
        let mut sizes = vec![];
        while let Some(group) = groups.next(1 << sizes.len()) {
            sizes.push(group.places);
        }
        let expected = [vec![0], vec![1, 2], vec![3, 4, 5, 6], vec![7, 8], vec![9]];
        assert_eq!(sizes, expected);
    }

    #[test]
    fn a_lone_message_gets_a_second_channel() {
        let mut groups = Groups::new(1, |_| false);
        let first = groups.next(1).unwrap();
        assert_eq!(groups.closed(&first), None);
        let second = groups.next(1).unwrap();
        assert_eq!(groups.closed(&second), Some(0));
        assert_eq!(groups.next(1), None);
    }
}
