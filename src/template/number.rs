//! Numbers: int, uint and double work together, in arithmetic as in comparisons.

use std::cmp::Ordering;

use super::{
    node::Math,
    value::{Fault, Val},
};

/// A number, wide enough for int and uint.
#[derive(Clone, Copy)]
enum Number {
    Whole(i128),
    Double(f64),
}

fn number(value: &Val<'_>) -> Option<Number> {
    match value {
        Val::Int(it) => Some(Number::Whole(i128::from(*it))),
        Val::Uint(it) => Some(Number::Whole(i128::from(*it))),
        Val::Double(it) => Some(Number::Double(*it)),
        Val::Null
        | Val::Bool(_)
        | Val::Text(_)
        | Val::Bytes(_)
        | Val::List(_)
        | Val::Map(_)
        | Val::Array(_)
        | Val::Object(_)
        | Val::Time(_)
        | Val::Span(_)
        | Val::Type(_) => None,
    }
}

/// At least one of two values is no number.
pub(super) struct NotNumbers;

/// `Ok(None)`: one of them is NaN.
pub(super) fn compare(a: &Val<'_>, b: &Val<'_>) -> Result<Option<Ordering>, NotNumbers> {
    let (Some(a), Some(b)) = (number(a), number(b)) else {
        return Err(NotNumbers);
    };
    Ok(match (a, b) {
        (Number::Whole(a), Number::Whole(b)) => Some(a.cmp(&b)),
        (Number::Double(a), Number::Double(b)) => a.partial_cmp(&b),
        (Number::Whole(a), Number::Double(b)) => compare_mixed(a, b),
        (Number::Double(a), Number::Whole(b)) => compare_mixed(b, a).map(Ordering::reverse),
    })
}

/// Exact: neither side is rounded.
fn compare_mixed(whole: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    let floor = double.floor();
    Some(match whole_of(floor) {
        Some(floor_whole) if whole == floor_whole && double > floor => Ordering::Less,
        Some(floor_whole) => whole.cmp(&floor_whole),
        None if double > 0.0 => Ordering::Less,
        None => Ordering::Greater,
    })
}

/// A double without a fraction that fits int or uint.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "checked to be whole and within i128; std has no checked conversion"
)]
pub(super) fn whole_of(double: f64) -> Option<i128> {
    const LIMIT: f64 = 18_446_744_073_709_551_616.0; // 2^64
    (double.fract() == 0.0 && double.abs() <= LIMIT).then_some(double as i128)
}

/// From 2^53 on not every whole number is a double, so one that was read as a double may have been another.
pub fn is_rounded(double: f64) -> bool {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0; // 2^53
    double.abs() >= EXACT_MAX
}

/// The nearest double.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "rounding to the nearest double is what CEL's double() does"
)]
pub(super) const fn double_of(whole: i128) -> f64 {
    whole as f64
}

/// An int or uint, or a double without a fraction.
pub(super) fn integer(value: &Val<'_>) -> Option<i128> {
    match number(value)? {
        Number::Whole(it) => Some(it),
        Number::Double(it) => whole_of(it),
    }
}

/// Any number as a double.
pub(super) fn double(value: &Val<'_>) -> Option<f64> {
    match number(value)? {
        Number::Whole(it) => Some(double_of(it)),
        Number::Double(it) => Some(it),
    }
}

/// Two ints give an int, two uints a uint, a double makes it double. `None`: not two numbers.
pub(super) fn calculate<'a>(
    math: Math,
    a: &Val<'a>,
    b: &Val<'a>,
) -> Option<Result<Val<'a>, Fault>> {
    Some(match (number(a)?, number(b)?) {
        (Number::Whole(x), Number::Whole(y)) => {
            let unsigned = matches!((a, b), (Val::Uint(_), Val::Uint(_)));
            whole(math, x, y).and_then(|it| fit(it, unsigned))
        }
        (Number::Whole(x), Number::Double(y)) => fraction(math, double_of(x), y),
        (Number::Double(x), Number::Whole(y)) => fraction(math, x, double_of(y)),
        (Number::Double(x), Number::Double(y)) => fraction(math, x, y),
    })
}

fn whole(math: Math, a: i128, b: i128) -> Result<i128, Fault> {
    let zero = match math {
        Math::Divide => Some("division by zero"),
        Math::Remainder => Some("remainder of a division by zero"),
        Math::Add | Math::Subtract | Math::Multiply => None,
    };
    if let (0, Some(message)) = (b, zero) {
        return Err(Fault::new(message));
    }
    match math {
        Math::Add => a.checked_add(b),
        Math::Subtract => a.checked_sub(b),
        Math::Multiply => a.checked_mul(b),
        Math::Divide => a.checked_div(b),
        Math::Remainder => a.checked_rem(b),
    }
    .ok_or(Fault::new("integer overflow"))
}

fn fraction<'a>(math: Math, a: f64, b: f64) -> Result<Val<'a>, Fault> {
    Ok(Val::Double(match math {
        Math::Add => a + b,
        Math::Subtract => a - b,
        Math::Multiply => a * b,
        Math::Divide => a / b,
        Math::Remainder => return Err(Fault::new("% needs whole numbers")),
    }))
}

/// Back into 64 bits.
pub(super) fn fit<'a>(whole: i128, unsigned: bool) -> Result<Val<'a>, Fault> {
    let fitted = if unsigned {
        u64::try_from(whole).map(Val::Uint)
    } else {
        i64::try_from(whole).map(Val::Int)
    };
    fitted.map_err(|_too_large| Fault::new("integer overflow"))
}
