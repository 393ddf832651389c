//! Operators and functions of cel's syntax tree, checked and resolved.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};
use regex::{Regex, RegexBuilder};

use super::{
    CompileError, Place, Scope,
    eval::Evaluator,
    lower::{Lowering, Typed, error_at},
    names::{self, Form},
    node::{Literal, Math, Node, Order},
    types::{self, Type},
};

/// Largest compiled pattern, in bytes.
const PATTERN_MAX: usize = 1 << 20;

/// As `regex` compiles it, within our limits.
pub(super) fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).size_limit(PATTERN_MAX).build()
}

pub(super) fn lower(
    lowering: &mut Lowering<'_>,
    expr: &IdedExpr,
    call: &CallExpr,
) -> Result<Typed, CompileError> {
    let typed = match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::LOGICAL_AND, [a, b]) => logic(lowering, "&&", a, b, Node::And),
        (operators::LOGICAL_OR, [a, b]) => logic(lowering, "||", a, b, Node::Or),
        (operators::LOGICAL_NOT, [a]) => {
            let a = boolean(lowering, "!", a)?;
            Ok((Node::Not(Box::new(a)), Type::Bool))
        }
        (operators::NOT_STRICTLY_FALSE, [a]) => {
            let (a, _) = lowering.expr(a)?;
            Ok((Node::NotFalse(Box::new(a)), Type::Bool))
        }
        (operators::CONDITIONAL, [a, b, c]) => {
            let a = boolean(lowering, "?", a)?;
            let ((b, b_kind), (c, c_kind)) = (lowering.expr(b)?, lowering.expr(c)?);
            let kind = if b_kind == c_kind { b_kind } else { Type::Any };
            Ok((Node::If(Box::new([a, b, c])), kind))
        }
        (operators::INDEX, [of, key]) => lowering.index(expr, of, key),
        (operators::EQUALS, [a, b]) => equality(lowering, expr, [a, b], Node::Equal),
        (operators::NOT_EQUALS, [a, b]) => equality(lowering, expr, [a, b], Node::Differ),
        (operators::IN, [item, of]) => contained(lowering, expr, item, of),
        (operators::NEGATE, [a]) => {
            let (a, kind) = lowering.expr(a)?;
            let possible = matches!(kind, Type::Any | Type::Int | Type::Double | Type::Span);
            if !possible {
                return Err(lowering.error(expr, format!("{} has no negative", kind.name())));
            }
            Ok((Node::Negate(Box::new(a)), kind))
        }
        (name, [a, b]) if operator_order(name).is_some() => order(lowering, expr, name, [a, b]),
        (name, [a, b]) if operator_math(name).is_some() => match lowering.append(call)? {
            Some(append) => Ok(append),
            None => math(lowering, expr, name, [a, b]),
        },
        ("changed" | "left", args) if call.target.is_none() && lowering.place == Place::Route => {
            ours(lowering, expr, &call.func_name, args)
        }
        ("matches", _) => matches(lowering, expr, call),
        _ => function(lowering, expr, call),
    }?;
    computable(lowering, expr, typed)
}

/// Computes what holds literals only, so that `timestamp("soon")` is refused at load.
fn computable(
    lowering: &Lowering<'_>,
    expr: &IdedExpr,
    typed: Typed,
) -> Result<Typed, CompileError> {
    let literal = |node: &Node| matches!(node, Node::Literal(_));
    let args: &[Node] = if let Node::Call(_, args) = &typed.0 {
        args
    } else if let Node::Math(_, args) = &typed.0 {
        args.as_slice()
    } else {
        return Ok(typed);
    };
    let constant = args.iter().all(literal);
    if constant && let Err(fault) = Evaluator::new(&Scope::default()).eval(&typed.0) {
        let message = super::EvalError::from(fault).message;
        return Err(lowering.error(expr, message));
    }
    Ok(typed)
}

fn boolean(
    lowering: &mut Lowering<'_>,
    operator: &str,
    expr: &IdedExpr,
) -> Result<Node, CompileError> {
    let (node, kind) = lowering.expr(expr)?;
    if types::may_be_bool(&node, kind) {
        Ok(node)
    } else {
        Err(lowering.error(
            expr,
            format!("`{operator}` needs a bool, this is {}", kind.name()),
        ))
    }
}

fn logic(
    lowering: &mut Lowering<'_>,
    operator: &str,
    a: &IdedExpr,
    b: &IdedExpr,
    make: fn(Box<[Node; 2]>) -> Node,
) -> Result<Typed, CompileError> {
    let nodes = [
        boolean(lowering, operator, a)?,
        boolean(lowering, operator, b)?,
    ];
    Ok((make(Box::new(nodes)), Type::Bool))
}

fn equality(
    lowering: &mut Lowering<'_>,
    expr: &IdedExpr,
    [a, b]: [&IdedExpr; 2],
    make: fn(Box<[Node; 2]>) -> Node,
) -> Result<Typed, CompileError> {
    let ((a, a_kind), (b, b_kind)) = (lowering.expr(a)?, lowering.expr(b)?);
    if !types::comparable(a_kind, b_kind) {
        let message = format!("{} and {} are never equal", a_kind.name(), b_kind.name());
        return Err(lowering.error(expr, message));
    }
    Ok((make(Box::new([a, b])), Type::Bool))
}

fn operator_order(name: &str) -> Option<Order> {
    match name {
        operators::LESS => Some(Order::Less),
        operators::LESS_EQUALS => Some(Order::LessOrEqual),
        operators::GREATER => Some(Order::Greater),
        operators::GREATER_EQUALS => Some(Order::GreaterOrEqual),
        _ => None,
    }
}

fn operator_math(name: &str) -> Option<Math> {
    match name {
        operators::ADD => Some(Math::Add),
        operators::SUBSTRACT => Some(Math::Subtract),
        operators::MULTIPLY => Some(Math::Multiply),
        operators::DIVIDE => Some(Math::Divide),
        operators::MODULO => Some(Math::Remainder),
        _ => None,
    }
}

fn order(
    lowering: &mut Lowering<'_>,
    expr: &IdedExpr,
    name: &str,
    [a, b]: [&IdedExpr; 2],
) -> Result<Typed, CompileError> {
    let ((a, a_kind), (b, b_kind)) = (lowering.expr(a)?, lowering.expr(b)?);
    let Some(order) = operator_order(name).filter(|_| types::ordered(a_kind, b_kind)) else {
        return Err(lowering.error(
            expr,
            format!("no order between {} and {}", a_kind.name(), b_kind.name()),
        ));
    };
    Ok((Node::Order(order, Box::new([a, b])), Type::Bool))
}

fn math(
    lowering: &mut Lowering<'_>,
    expr: &IdedExpr,
    name: &str,
    [a, b]: [&IdedExpr; 2],
) -> Result<Typed, CompileError> {
    let ((a, a_kind), (b, b_kind)) = (lowering.expr(a)?, lowering.expr(b)?);
    let found =
        operator_math(name).and_then(|math| Some((math, types::math(math, a_kind, b_kind)?)));
    let Some((math, kind)) = found else {
        return Err(lowering.error(
            expr,
            format!(
                "`{}` does not take {} and {}",
                name.trim_matches('_'),
                a_kind.name(),
                b_kind.name()
            ),
        ));
    };
    Ok((Node::Math(math, Box::new([a, b])), kind))
}

fn contained(
    lowering: &mut Lowering<'_>,
    expr: &IdedExpr,
    item: &IdedExpr,
    of: &IdedExpr,
) -> Result<Typed, CompileError> {
    let (item, (of, kind)) = (lowering.expr(item)?.0, lowering.expr(of)?);
    if matches!(kind, Type::Any | Type::List | Type::Map) {
        Ok((Node::In(Box::new([item, of])), Type::Bool))
    } else {
        Err(lowering.error(
            expr,
            format!("`in` needs a list or map, this is {}", kind.name()),
        ))
    }
}

/// `changed("F")` and `left()`.
fn ours(
    lowering: &mut Lowering<'_>,
    expr: &IdedExpr,
    name: &str,
    args: &[IdedExpr],
) -> Result<Typed, CompileError> {
    let at = lowering.spans.of_call(expr.id, name);
    let node = match (name, args) {
        ("left", []) => {
            lowering.reads.left = true;
            Node::Left
        }
        ("left", _) => return Err(error_at(at, "`left()` takes no argument")),
        (_, [field]) => {
            let Expr::Literal(LiteralValue::String(field)) = &field.expr else {
                return Err(error_at(
                    at,
                    "`changed` takes the name of a field, in quotes",
                ));
            };
            let field = field.inner().to_owned();
            lowering.reads.record_fields.insert(field.clone());
            Node::Changed(field)
        }
        _ => {
            return Err(error_at(
                at,
                "`changed` takes the name of one field, in quotes",
            ));
        }
    };
    lowering.reads.before = true;
    Ok((node, Type::Bool))
}

fn matches(
    lowering: &mut Lowering<'_>,
    expr: &IdedExpr,
    call: &CallExpr,
) -> Result<Typed, CompileError> {
    let at = lowering.spans.of_call(expr.id, "matches");
    let parts: Vec<&IdedExpr> = call
        .target
        .iter()
        .map(AsRef::as_ref)
        .chain(&call.args)
        .collect();
    let &[text, by] = parts.as_slice() else {
        return Err(error_at(at, "`matches` takes a text and a pattern"));
    };
    let ((text, text_kind), (by, by_kind)) = (lowering.expr(text)?, lowering.expr(by)?);
    for kind in [text_kind, by_kind] {
        if !matches!(kind, Type::Any | Type::Text) {
            return Err(error_at(
                at,
                format!("`matches` does not take {}", kind.name()),
            ));
        }
    }
    let node = if let Node::Literal(Literal::Text(literal)) = &by {
        let compiled = pattern(literal).map_err(|error| {
            error_at(
                at,
                format!("not a pattern: {}", last_line(&error.to_string())),
            )
        })?;
        Node::Matches(Box::new(text), compiled)
    } else {
        Node::MatchesComputed(Box::new([text, by]))
    };
    Ok((node, Type::Bool))
}

/// The regex crate draws the pattern first and ends with what is wrong.
fn last_line(text: &str) -> &str {
    text.lines()
        .last()
        .unwrap_or(text)
        .trim_start_matches("error: ")
}

fn function(
    lowering: &mut Lowering<'_>,
    expr: &IdedExpr,
    call: &CallExpr,
) -> Result<Typed, CompileError> {
    let name = call.func_name.as_str();
    let at = lowering.spans.of_call(expr.id, name);
    let Some(&(_, function, form, fewest, most)) = names::function(name) else {
        return Err(CompileError {
            message: format!("unknown function `{name}`"),
            at,
            hint: names::hint_function(name, lowering.place),
        });
    };
    let wrong_form = match form {
        Form::Plain if call.target.is_some() => Some(format!("written `{name}(x)`")),
        Form::Method if call.target.is_none() => Some(format!("written `x.{name}()`")),
        Form::Plain | Form::Method | Form::Either => None,
    };
    if let Some(hint) = wrong_form {
        return Err(CompileError {
            message: format!("`{name}` is not called like this"),
            at,
            hint: Some(hint),
        });
    }
    let parts = call.target.iter().map(AsRef::as_ref).chain(&call.args);
    let typed = parts
        .map(|it| lowering.expr(it))
        .collect::<Result<Vec<_>, _>>()?;
    let count = typed.len();
    let first = typed.first().map_or(Type::Any, |(_, kind)| *kind);
    let second_is_text = typed
        .get(1)
        .is_none_or(|(_, kind)| matches!(kind, Type::Any | Type::Text));
    if count < fewest || count > most {
        return Err(error_at(
            at,
            format!("wrong number of arguments for `{name}`"),
        ));
    }
    let Some(kind) = types::call(function, first).filter(|_| second_is_text) else {
        return Err(error_at(
            at,
            format!(
                "`{name}` does not take {}",
                if second_is_text { first.name() } else { "that" }
            ),
        ));
    };
    let args = typed.into_iter().map(|(node, _)| node).collect();
    Ok((Node::Call(function, args), kind))
}
