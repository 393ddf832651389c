//! What is known of types before any value is: enough to refuse what could never be computed.

use super::node::{Function, Math, Node};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Known only when there are values.
    Any,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    List,
    Map,
    Time,
    Span,
    Meta,
}

impl Type {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::Text => "string",
            Self::Bytes => "bytes",
            Self::List => "list",
            Self::Map => "map",
            Self::Time => "timestamp",
            Self::Span => "duration",
            Self::Meta => "type",
        }
    }

    const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }
}

/// Whether an expression may come to a bool: one that calculates never does, whatever it calculates with.
pub(super) const fn may_be_bool(node: &Node, kind: Type) -> bool {
    matches!(kind, Type::Any | Type::Bool) && !matches!(node, Node::Math(..) | Node::Negate(_))
}

pub(super) const fn is_key(kind: Type) -> bool {
    matches!(
        kind,
        Type::Any | Type::Bool | Type::Int | Type::Uint | Type::Text
    )
}

/// The type of `a math b`; `None` if there is none.
pub(super) fn math(math: Math, a: Type, b: Type) -> Option<Type> {
    match (a, b) {
        (Type::Null, _) | (_, Type::Null) => None,
        (Type::Any, Type::Any) => Some(Type::Any),
        (Type::Any, known) | (known, Type::Any) => with_any(math, known),
        (Type::Int, Type::Int) => Some(Type::Int),
        (Type::Uint, Type::Uint) => Some(Type::Uint),
        (a, b) if a.is_number() && b.is_number() => {
            let double = a == Type::Double || b == Type::Double;
            match (double, math) {
                (true, Math::Remainder) => None,
                (true, _) => Some(Type::Double),
                (false, _) => Some(Type::Int),
            }
        }
        (a, b) => match (math, a, b) {
            (Math::Add, Type::Text | Type::Bytes | Type::List | Type::Span, _) if a == b => Some(a),
            (Math::Add, Type::Span, Type::Time)
            | (Math::Add | Math::Subtract, Type::Time, Type::Span) => Some(Type::Time),
            (Math::Subtract, Type::Time | Type::Span, _) if a == b => Some(Type::Span),
            _ => None,
        },
    }
}

fn with_any(math: Math, known: Type) -> Option<Type> {
    let possible = match math {
        Math::Add => {
            known.is_number()
                || matches!(
                    known,
                    Type::Text | Type::Bytes | Type::List | Type::Span | Type::Time
                )
        }
        Math::Subtract => known.is_number() || matches!(known, Type::Span | Type::Time),
        Math::Multiply | Math::Divide => known.is_number(),
        Math::Remainder => matches!(known, Type::Int | Type::Uint),
    };
    possible.then_some(Type::Any)
}

/// Whether `a < b` may have an answer.
pub(super) fn ordered(a: Type, b: Type) -> bool {
    match (a, b) {
        (Type::Null | Type::List | Type::Map | Type::Meta, _)
        | (_, Type::Null | Type::List | Type::Map | Type::Meta) => false,
        (Type::Any, _) | (_, Type::Any) => true,
        (a, b) => a == b || (a.is_number() && b.is_number()),
    }
}

/// Whether `a == b` may be true. Anything may be null.
pub(super) fn comparable(a: Type, b: Type) -> bool {
    let any = |it| matches!(it, Type::Any | Type::Null);
    any(a) || any(b) || a == b || (a.is_number() && b.is_number())
}

/// The type a call gives; `None` if its first argument can never be right.
pub(super) fn call(function: Function, first: Type) -> Option<Type> {
    use Type::{Bytes, Double, Int, List, Map, Span, Text, Time, Uint};
    let among = |list: &[Type]| first == Type::Any || list.contains(&first);
    let (fits, gives) = match function {
        Function::Size => (among(&[Text, Bytes, List, Map]), Int),
        Function::Contains | Function::StartsWith | Function::EndsWith => {
            (among(&[Text]), Type::Bool)
        }
        Function::Bool => (among(&[Type::Bool, Text]), Type::Bool),
        Function::Int => (among(&[Int, Uint, Double, Text, Time]), Int),
        Function::Uint => (among(&[Int, Uint, Double, Text]), Uint),
        Function::Double => (among(&[Int, Uint, Double, Text]), Double),
        Function::Text => (
            among(&[Type::Bool, Int, Uint, Double, Text, Bytes, Time, Span]),
            Text,
        ),
        Function::Bytes => (among(&[Text, Bytes]), Bytes),
        Function::Timestamp => (among(&[Text, Int, Time]), Time),
        Function::Duration => (among(&[Text, Span]), Span),
        Function::Type => (true, Type::Meta),
        Function::Dyn => (true, Type::Any),
        Function::Part(_) => (among(&[Time, Span]), Int),
    };
    fits.then_some(gives)
}
