//! Computes a compiled expression on a scope, within a bounded number of steps.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "values have their type at run time: every other one is refused"
)]
#![expect(
    clippy::map_err_ignore,
    reason = "causes quote the value, which is record content"
)]

use std::{borrow::Cow, cmp::Ordering, rc::Rc};

use regex::Regex;

use super::{
    Scope, call, function,
    node::{Fold, Math, Node, Order, Var},
    number,
    value::{Fault, Val, bounded},
};
use crate::event::Record;

/// Steps one evaluation may take; a typical condition takes ten.
const STEPS_MAX: u32 = 1_000_000;
/// Steps charged for each item of a comprehension: 10,000 items at most.
const ITEM_STEPS: u32 = 100;
/// Bytes of a text, or items of a list, that are searched or compared in one step.
const PER_STEP: usize = 64;

type Outcome<'a> = Result<Val<'a>, Fault>;

pub(super) struct Evaluator<'a> {
    scope: Scope<'a>,
    /// Variables of comprehensions; an error of one item waits here whether another makes up for it.
    locals: Vec<Outcome<'a>>,
    /// `body`, once it was asked for: of a form a map is made.
    body: Option<Val<'a>>,
    steps_left: u32,
    /// Whether a number was met that is more than a double can hold exactly.
    rounded: bool,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(scope: &Scope<'a>) -> Self {
        Self {
            scope: *scope,
            locals: vec![],
            body: None,
            steps_left: STEPS_MAX,
            rounded: false,
        }
    }

    /// Whether the result may come from a number that is more than a double can hold exactly: two that differ look the
    /// same then.
    pub(super) const fn is_rounded(&self) -> bool {
        self.rounded
    }

    #[cfg(test)]
    pub(super) const fn steps_taken(&self) -> u32 {
        STEPS_MAX - self.steps_left
    }

    pub(super) fn eval(&mut self, node: &'a Node) -> Outcome<'a> {
        self.spend(1)?;
        let outcome = self.compute(node);
        self.rounded |= matches!(&outcome, Ok(Val::Double(it)) if number::is_rounded(*it));
        outcome
    }

    fn compute(&mut self, node: &'a Node) -> Outcome<'a> {
        match node {
            Node::Literal(literal) => Ok(Val::of_literal(literal)),
            Node::Var(var) => Ok(self.variable(*var)),
            Node::Field(var, field) => Ok(self.field(*var, field).unwrap_or(Val::Null)),
            Node::HasField(var, field) => Ok(Val::Bool(
                self.field(*var, field)
                    .is_some_and(|it| !matches!(it, Val::Null)),
            )),
            Node::Local(slot) => self.locals.get(*slot).cloned().unwrap_or(Ok(Val::Null)),
            Node::Select(of, field) => self
                .look_up(of, field)?
                .ok_or_else(|| Fault::new(format!("no field `{field}`"))),
            Node::Has(of, field) => Ok(Val::Bool(self.look_up(of, field)?.is_some())),
            Node::Index(parts) => self.index(parts),
            Node::List(items) => Ok(Val::List(Rc::new(self.all(items)?))),
            Node::Map(entries) => self.map(entries),
            Node::And(sides) => self.either(sides, false),
            Node::Or(sides) => self.either(sides, true),
            Node::Not(of) => Ok(Val::Bool(!self.boolean(of)?)),
            Node::NotFalse(of) => Ok(Val::Bool(!matches!(self.eval(of), Ok(Val::Bool(false))))),
            Node::If(parts) => {
                let [condition, then, other] = parts.as_ref();
                let chosen = if self.boolean(condition)? {
                    then
                } else {
                    other
                };
                self.eval(chosen)
            }
            Node::Negate(of) => function::negate(&self.eval(of)?),
            Node::Math(math, sides) => {
                let [a, b] = self.both(sides)?;
                self.math(*math, a, &b)
            }
            Node::Equal(sides) => Ok(Val::Bool(self.equal(sides)?)),
            Node::Differ(sides) => Ok(Val::Bool(!self.equal(sides)?)),
            Node::Order(order, sides) => {
                let [a, b] = self.both(sides)?;
                self.spend_on(&a)?;
                Ok(Val::Bool(holds(*order, a.order(&b)?)))
            }
            Node::In(sides) => self.contained(sides),
            Node::Call(name, args) => {
                let args = self.all(args)?;
                for arg in &args {
                    self.spend_on(arg)?;
                }
                function::call(*name, &args)
            }
            Node::Matches(text, pattern) => {
                let text = self.eval(text)?;
                self.matches(&text, pattern)
            }
            Node::MatchesComputed(sides) => self.matches_computed(sides),
            Node::Changed(field) => self.changed(field),
            Node::Left => Ok(Val::Bool(self.scope.left)),
            Node::Fold(fold) => self.fold(fold),
            Node::Append(slot, item) => self.append(*slot, item),
        }
    }

    fn spend(&mut self, steps: u32) -> Result<(), Fault> {
        if let Some(left) = self.steps_left.checked_sub(steps) {
            self.steps_left = left;
            return Ok(());
        }
        // Nothing may absorb this: whatever is computed next fails the same way.
        self.steps_left = 0;
        Err(Fault::new(format!("takes more than {STEPS_MAX} steps")))
    }

    fn spend_on(&mut self, value: &Val<'_>) -> Result<(), Fault> {
        let size = value.size();
        self.spend(u32::try_from(size / PER_STEP).unwrap_or(u32::MAX))
    }

    /// A map that was made, or a form, is searched from its start.
    fn spend_on_search(&mut self, of: &Val<'_>) -> Result<(), Fault> {
        match of {
            Val::Map(_) => self.spend_on(of),
            _ => Ok(()),
        }
    }

    fn variable(&mut self, var: Var) -> Val<'a> {
        let scope = &self.scope;
        match var {
            Var::Event => scope.event.map_or(Val::Null, Val::Object),
            Var::Record => scope.record.map_or(Val::Null, Val::of_record),
            Var::Before => scope.before.map_or(Val::Null, Val::of_record),
            Var::Source => scope.source.map_or(Val::Null, Val::text),
            Var::Body => {
                let made = || scope.body.map_or(Val::Null, Val::of_body);
                self.body.get_or_insert_with(made).clone()
            }
            Var::Now => scope.now.map_or(Val::Null, Val::Time),
        }
    }

    /// A field of a record is null when it is not there, and so is every field of no record.
    fn field(&self, var: Var, field: &str) -> Option<Val<'a>> {
        let of = |record: Option<&'a Record>| record?.values.get(field).map(Val::of);
        match var {
            Var::Record => of(self.scope.record),
            Var::Before => of(self.scope.before),
            Var::Event => self.scope.event?.get(field).map(Val::of),
            Var::Source | Var::Body | Var::Now => None,
        }
    }

    fn all(&mut self, nodes: &'a [Node]) -> Result<Vec<Val<'a>>, Fault> {
        nodes.iter().map(|it| self.eval(it)).collect()
    }

    fn matches(&mut self, text: &Val<'_>, pattern: &Regex) -> Outcome<'a> {
        self.spend_on(text)?;
        Ok(Val::Bool(pattern.is_match(function::text(text)?)))
    }

    fn matches_computed(&mut self, sides: &'a [Node; 2]) -> Outcome<'a> {
        let [text, pattern] = self.both(sides)?;
        self.spend(ITEM_STEPS)?;
        let pattern = call::pattern(function::text(&pattern)?)
            .map_err(|_| Fault::new("`matches` got something that is no pattern"))?;
        self.matches(&text, &pattern)
    }

    fn changed(&self, field: &str) -> Outcome<'a> {
        let changed = self
            .scope
            .changed
            .ok_or_else(|| Fault::new("`changed` cannot be used here"))?;
        Ok(Val::Bool(changed(field)))
    }

    fn both(&mut self, sides: &'a [Node; 2]) -> Result<[Val<'a>; 2], Fault> {
        let [a, b] = sides;
        Ok([self.eval(a)?, self.eval(b)?])
    }

    fn boolean(&mut self, node: &'a Node) -> Result<bool, Fault> {
        match self.eval(node)? {
            Val::Bool(it) => Ok(it),
            other => Err(Fault::new(format!(
                "a bool is needed, not {}",
                other.type_name()
            ))),
        }
    }

    /// `&&` and `||`: a side that decides makes up for an error of the other. Of two errors the one
    /// that is more than a comparison with null is the result's.
    fn either(&mut self, [a, b]: &'a [Node; 2], decides: bool) -> Outcome<'a> {
        let first = match self.boolean(a) {
            Ok(it) if it == decides => return Ok(Val::Bool(decides)),
            first => first,
        };
        match (first, self.boolean(b)) {
            (_, Ok(it)) if it == decides => Ok(Val::Bool(decides)),
            (Ok(_), second) => second.map(Val::Bool),
            (Err(Fault::NullOrdered), Err(second)) => Err(second),
            (Err(first), _) => Err(first),
        }
    }

    fn equal(&mut self, sides: &'a [Node; 2]) -> Result<bool, Fault> {
        let [a, b] = self.both(sides)?;
        self.spend_on(&a)?;
        Ok(a.equals(&b))
    }

    fn contained(&mut self, sides: &'a [Node; 2]) -> Outcome<'a> {
        let [item, of] = self.both(sides)?;
        self.spend_on(&of)?;
        let found = match &of {
            Val::Object(_) | Val::Map(_) => of.get(&item)?.is_some(),
            Val::Array(list) => list.iter().any(|it| Val::of(it).equals(&item)),
            Val::List(list) => list.iter().any(|it| it.equals(&item)),
            other => {
                return Err(Fault::new(format!(
                    "`in` needs a list or map, not {}",
                    other.type_name()
                )));
            }
        };
        Ok(Val::Bool(found))
    }

    fn look_up(&mut self, of: &'a Node, field: &'a str) -> Result<Option<Val<'a>>, Fault> {
        let of = self.eval(of)?;
        self.spend_on_search(&of)?;
        of.get(&Val::text(field))
    }

    fn index(&mut self, parts: &'a [Node; 2]) -> Outcome<'a> {
        let [of_node, _] = parts;
        let [of, key] = self.both(parts)?;
        self.spend_on_search(&of)?;
        match of.get(&key)? {
            Some(value) => Ok(value),
            None if matches!(of_node, Node::Var(Var::Record | Var::Before | Var::Event)) => {
                Ok(Val::Null)
            }
            None => Err(Fault::new("no item at that index")),
        }
    }

    fn map(&mut self, entries: &'a [[Node; 2]]) -> Outcome<'a> {
        let mut made: Vec<(Val<'a>, Val<'a>)> = Vec::with_capacity(entries.len());
        for entry in entries {
            let [key, value] = self.both(entry)?;
            let is_key = matches!(
                key,
                Val::Text(_) | Val::Int(_) | Val::Uint(_) | Val::Bool(_)
            );
            if !is_key {
                return Err(Fault::new(format!(
                    "{} cannot be a key of a map",
                    key.type_name()
                )));
            }
            if made.iter().any(|(it, _)| it.equals(&key)) {
                return Err(Fault::new("a map has the same key twice"));
            }
            made.push((key, value));
        }
        Ok(Val::Map(Rc::new(made)))
    }

    fn math(&mut self, math: Math, a: Val<'a>, b: &Val<'a>) -> Outcome<'a> {
        if let Some(result) = number::calculate(math, &a, b) {
            return result;
        }
        self.spend_on(&a)?;
        self.spend_on(b)?;
        match (math, a, b) {
            (Math::Add, Val::Text(a), Val::Text(b)) => {
                bounded(a.len() + b.len())?;
                Ok(Val::Text(Cow::Owned(a.into_owned() + b)))
            }
            (Math::Add, a, b) if a.type_name() == "list" && b.type_name() == "list" => {
                bounded(a.size() + b.size())?;
                let lists = [a.items(), b.items()].into_iter().flatten();
                Ok(Val::List(Rc::new(lists.flatten().collect())))
            }
            (math, a, b) => function::add_times(math, &a, b),
        }
    }

    fn fold(&mut self, fold: &'a Fold) -> Outcome<'a> {
        let range = self.eval(&fold.range)?;
        let items = range
            .items()
            .ok_or_else(|| Fault::new(format!("{} is not a list", range.type_name())))?;
        self.spend_on(&range)?;
        let start = self.eval(&fold.start);
        self.locals.truncate(fold.slot);
        self.locals.push(Ok(Val::Null));
        self.locals.push(start);
        let outcome = self.fold_items(fold, items);
        self.locals.truncate(fold.slot);
        outcome
    }

    fn fold_items(&mut self, fold: &'a Fold, items: impl Iterator<Item = Val<'a>>) -> Outcome<'a> {
        for item in items {
            self.spend(ITEM_STEPS)?;
            if !self.boolean(&fold.go_on)? {
                break;
            }
            self.set(fold.slot, Ok(item));
            let next = self.eval(&fold.step);
            self.set(fold.slot + 1, next);
        }
        self.eval(&fold.result)
    }

    fn set(&mut self, slot: usize, value: Outcome<'a>) {
        if let Some(local) = self.locals.get_mut(slot) {
            *local = value;
        }
    }

    fn append(&mut self, slot: usize, item: &'a Node) -> Outcome<'a> {
        let item = self.eval(item)?;
        let Some(local) = self.locals.get_mut(slot) else {
            return Ok(Val::Null);
        };
        match std::mem::replace(local, Ok(Val::Null))? {
            Val::List(mut list) => {
                Rc::make_mut(&mut list).push(item);
                Ok(Val::List(list))
            }
            other => Ok(other),
        }
    }
}

fn holds(order: Order, found: Option<Ordering>) -> bool {
    found.is_some_and(|found| match order {
        Order::Less => found.is_lt(),
        Order::LessOrEqual => found.is_le(),
        Order::Greater => found.is_gt(),
        Order::GreaterOrEqual => found.is_ge(),
    })
}
