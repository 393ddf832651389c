//! What is made of the values of many records.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::query::Function;
use crate::world::typed::Typed;

/// Takes values one by one.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    function: Function,
    count: u64,
    total: f64,
    /// The value and how it is shown.
    best: Option<(Typed, Value)>,
}

impl Sum {
    pub(crate) fn new(function: Function) -> Self {
        Self {
            function,
            count: 0,
            total: 0.0,
            best: None,
        }
    }

    /// Takes a value and, as it is only needed then, how it is shown.
    pub(crate) fn take(&mut self, value: Typed, shown: impl FnOnce() -> Value) {
        if value == Typed::Null {
            return;
        }
        self.count += 1;
        if let Typed::Number(number) = value {
            self.total += number;
        }
        let better = match self.function {
            Function::Count | Function::Sum | Function::Avg => return,
            Function::Min => Ordering::Less,
            Function::Max => Ordering::Greater,
        };
        let best = self.best.as_ref();
        if best.is_none_or(|(best, _)| value.order(best) == Some(better)) {
            self.best = Some((value, shown()));
        }
    }

    /// Takes a whole row.
    pub(crate) fn take_row(&mut self) {
        self.count += 1;
    }

    pub(crate) fn result(&self) -> Value {
        match self.function {
            Function::Count => json!(self.count),
            Function::Sum if self.count > 0 => number(self.total),
            Function::Avg if self.count > 0 => {
                // A few million at most, so exact.
                let count = u32::try_from(self.count).unwrap_or(u32::MAX);
                number(self.total / f64::from(count))
            }
            Function::Min | Function::Max => match &self.best {
                Some((_, shown)) => shown.clone(),
                None => Value::Null,
            },
            Function::Sum | Function::Avg => Value::Null,
        }
    }
}

/// A whole number without a point.
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        let text = format!("{value:.0}");
        text.parse::<i64>().map_or(json!(value), |it| json!(it))
    } else {
        json!(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_do_not_count_and_whole_sums_have_no_point() {
        let result = |function, values: &[Option<f64>]| {
            let mut sum = Sum::new(function);
            for value in values {
                let typed = value.map_or(Typed::Null, Typed::Number);
                sum.take(typed, || json!(value));
            }
            sum.result()
        };
        let values = [Some(1.5), None, Some(2.5)];
        assert_eq!(result(Function::Count, &values), json!(2));
        assert_eq!(result(Function::Sum, &values), json!(4));
        assert_eq!(result(Function::Avg, &values), json!(2));
        assert_eq!(result(Function::Min, &values), json!(1.5));
        assert_eq!(result(Function::Max, &values), json!(2.5));
        assert_eq!(result(Function::Sum, &[None]), Value::Null);
        assert_eq!(result(Function::Count, &[]), json!(0));
    }
}
