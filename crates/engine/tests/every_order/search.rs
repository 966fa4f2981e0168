//! Visits every state that a model can be in, each once, nearest first.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;

/// States, and what can happen in each.
pub(crate) trait Model {
    /// All that there is at one moment.
    type State: Clone + Eq + Hash;
    /// Something that happens.
    type Step: Copy + Debug;

    /// Where it begins.
    fn first(&self) -> Self::State;
    /// All that can happen.
    fn steps(&self, state: &Self::State) -> Vec<Self::Step>;
    /// What it leads to.
    fn next(&self, state: &Self::State, step: Self::Step) -> Self::State;
    /// What does not hold there, if anything.
    fn wrong(&self, state: &Self::State) -> Option<String>;
}

/// From where, and how, each state was reached first.
type CameFrom<M> = HashMap<<M as Model>::State, Option<(<M as Model>::State, <M as Model>::Step)>>;

/// Visits all states; how many there are.
///
/// # Errors
/// What does not hold somewhere, and the shortest way there.
pub(crate) fn search<M: Model>(model: &M) -> Result<usize, String> {
    let first = model.first();
    let mut came_from: CameFrom<M> = HashMap::new();
    let mut ahead = VecDeque::from([first.clone()]);
    came_from.insert(first, None);
    while let Some(state) = ahead.pop_front() {
        if let Some(wrong) = model.wrong(&state) {
            let (mut way, mut at) = (Vec::new(), state);
            while let Some(Some((before, step))) = came_from.get(&at) {
                way.push(format!("{step:?}"));
                at = before.clone();
            }
            way.reverse();
            return Err(format!("{wrong}, after:\n  {}", way.join("\n  ")));
        }
        for step in model.steps(&state) {
            let next = model.next(&state, step);
            if !came_from.contains_key(&next) {
                came_from.insert(next.clone(), Some((state.clone(), step)));
                ahead.push_back(next);
            }
        }
    }
    Ok(came_from.len())
}
