//! cel's syntax tree into ours: refuses unknown names and what can never be computed, and notes what is read.

use std::ops::Range;

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr,
};

use super::{
    CompileError, Place, Reads, call,
    names::{self, EVENT_FIELDS},
    node::{Fold, Literal, Node, Var},
    parse::Spans,
    types::{self, Type},
};

/// How deep operators and brackets may be nested.
const DEPTH_MAX: usize = 100;

/// A compiled expression, its type as far as known, and what it reads.
#[derive(Clone, Debug)]
pub(super) struct Lowered {
    pub(super) node: Node,
    pub(super) kind: Type,
    pub(super) reads: Reads,
}

pub(super) fn lower(
    expr: &IdedExpr,
    spans: &Spans<'_>,
    place: Place,
) -> Result<Lowered, CompileError> {
    let mut lowering = Lowering {
        spans,
        place,
        reads: Reads::default(),
        locals: vec![],
        depth: 0,
    };
    let (node, kind) = lowering.expr(expr)?;
    Ok(Lowered {
        node,
        kind,
        reads: lowering.reads,
    })
}

pub(super) type Typed = (Node, Type);

pub(super) struct Lowering<'a> {
    pub(super) spans: &'a Spans<'a>,
    pub(super) place: Place,
    pub(super) reads: Reads,
    /// Names of the comprehension variables in reach, by their place on the stack.
    locals: Vec<String>,
    depth: usize,
}

impl Lowering<'_> {
    pub(super) fn expr(&mut self, expr: &IdedExpr) -> Result<Typed, CompileError> {
        if self.depth == DEPTH_MAX {
            return Err(self.error(expr, format!("nested more than {DEPTH_MAX} deep")));
        }
        self.depth += 1;
        let typed = match &expr.expr {
            Expr::Unspecified => Err(self.error(expr, "is not CEL")),
            Expr::Literal(literal) => Ok(of_literal(literal)),
            Expr::Ident(name) => self.variable(expr, name),
            Expr::Select(select) => self.select(expr, select),
            Expr::Call(call) => self.call(expr, call),
            Expr::List(list) => list
                .elements
                .iter()
                .map(|it| Ok(self.expr(it)?.0))
                .collect::<Result<_, _>>()
                .map(|nodes| (Node::List(nodes), Type::List)),
            Expr::Map(map) => self.map(expr, map),
            Expr::Struct(_) => Err(self.error(expr, "message types are not known here")),
            Expr::Comprehension(comprehension) => self.fold(comprehension),
        };
        self.depth -= 1;
        typed
    }

    fn variable(&mut self, expr: &IdedExpr, name: &str) -> Result<Typed, CompileError> {
        if let Some(slot) = self.locals.iter().rposition(|it| it == name) {
            return Ok((Node::Local(slot), Type::Any));
        }
        let Some(var) = self.var(name) else {
            if let Some(kind) = names::type_named(name) {
                return Ok((Node::Literal(Literal::Type(kind)), Type::Meta));
            }
            return Err(CompileError {
                message: format!("unknown variable `{name}`"),
                at: self.spans.of(expr.id),
                hint: Some(names::hint_variable(name, self.place)),
            });
        };
        match var {
            Var::Record => self.reads.whole_record = true,
            Var::Before => {
                self.reads.before = true;
                self.reads.whole_before = true;
            }
            Var::Body => self.reads.body = true,
            Var::Event | Var::Source | Var::Now => {}
        }
        let kind = match var {
            Var::Source => Type::Text,
            Var::Now => Type::Time,
            Var::Event => Type::Map,
            Var::Record | Var::Before | Var::Body => Type::Any,
        };
        Ok((Node::Var(var), kind))
    }

    /// A variable that is known here and not hidden by a comprehension's.
    fn var(&self, name: &str) -> Option<Var> {
        if self.locals.iter().any(|it| it == name) {
            return None;
        }
        names::variable(name, self.place)
    }

    /// Whether an expression is just `record`, `before` or `event`.
    fn root(&self, expr: &IdedExpr) -> Option<Var> {
        let Expr::Ident(name) = &expr.expr else {
            return None;
        };
        match self.var(name)? {
            var @ (Var::Record | Var::Before | Var::Event) => Some(var),
            Var::Source | Var::Body | Var::Now => None,
        }
    }

    fn select(&mut self, expr: &IdedExpr, select: &SelectExpr) -> Result<Typed, CompileError> {
        if let Some(var) = self.root(&select.operand) {
            return self.field(expr, var, &select.field, select.test);
        }
        let (operand, kind) = self.expr(&select.operand)?;
        if !matches!(kind, Type::Any | Type::Map) {
            return Err(self.error(expr, format!("{} has no fields", kind.name())));
        }
        let (operand, field) = (Box::new(operand), select.field.clone());
        Ok(if select.test {
            (Node::Has(operand, field), Type::Bool)
        } else {
            (Node::Select(operand, field), Type::Any)
        })
    }

    fn field(
        &mut self,
        expr: &IdedExpr,
        var: Var,
        field: &str,
        test: bool,
    ) -> Result<Typed, CompileError> {
        match var {
            Var::Record => {
                self.reads.record_fields.insert(field.to_owned());
            }
            Var::Before => {
                self.reads.before = true;
                self.reads.before_fields.insert(field.to_owned());
            }
            Var::Event if !EVENT_FIELDS.contains(&field) => {
                return Err(CompileError {
                    message: format!("`event` has no `{field}`"),
                    at: self.spans.of(expr.id),
                    hint: names::nearest(field, EVENT_FIELDS.iter().copied())
                        .map(|it| format!("did you mean `event.{it}`?")),
                });
            }
            Var::Event | Var::Source | Var::Body | Var::Now => {}
        }
        Ok(if test {
            (Node::HasField(var, field.to_owned()), Type::Bool)
        } else {
            let kind = match (var, field) {
                (Var::Event, "changed") => Type::List,
                (Var::Event, _) => Type::Text,
                (Var::Record | Var::Before | Var::Source | Var::Body | Var::Now, _) => Type::Any,
            };
            (Node::Field(var, field.to_owned()), kind)
        })
    }

    /// `x[key]`; a literal text key of a variable is a field of it.
    pub(super) fn index(
        &mut self,
        expr: &IdedExpr,
        of: &IdedExpr,
        key: &IdedExpr,
    ) -> Result<Typed, CompileError> {
        if let (Some(var), Expr::Literal(LiteralValue::String(name))) = (self.root(of), &key.expr) {
            return self.field(expr, var, name.inner(), false);
        }
        let (of, kind) = self.expr(of)?;
        let (key, _) = self.expr(key)?;
        if !matches!(kind, Type::Any | Type::Map | Type::List) {
            return Err(self.error(expr, format!("{} has no items", kind.name())));
        }
        Ok((Node::Index(Box::new([of, key])), Type::Any))
    }

    fn map(
        &mut self,
        expr: &IdedExpr,
        map: &cel::common::ast::MapExpr,
    ) -> Result<Typed, CompileError> {
        let mut nodes = Vec::with_capacity(map.entries.len());
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return Err(self.error(expr, "is not a map"));
            };
            let (key, kind) = self.expr(&entry.key)?;
            if !types::is_key(kind) {
                return Err(self.error(
                    &entry.key,
                    format!("{} cannot be a key of a map", kind.name()),
                ));
            }
            nodes.push([key, self.expr(&entry.value)?.0]);
        }
        Ok((Node::Map(nodes), Type::Map))
    }

    fn fold(&mut self, it: &ComprehensionExpr) -> Result<Typed, CompileError> {
        let (range, kind) = self.expr(&it.iter_range)?;
        if !matches!(kind, Type::Any | Type::List | Type::Map) {
            return Err(self.error(&it.iter_range, format!("{} is not a list", kind.name())));
        }
        let (start, start_kind) = self.expr(&it.accu_init)?;
        let slot = self.locals.len();
        self.locals.push(it.iter_var.clone());
        self.locals.push(it.accu_var.clone());
        let parts = self.fold_parts(it);
        self.locals.truncate(slot);
        let [go_on, step, result] = parts?;
        // `exists` and `all` start with a bool, `exists_one` with a number of which it makes a bool.
        let kind = if matches!(start_kind, Type::Bool | Type::Int) {
            Type::Bool
        } else {
            start_kind
        };
        let fold = Fold {
            range,
            start,
            go_on,
            step,
            result,
            slot,
        };
        Ok((Node::Fold(Box::new(fold)), kind))
    }

    fn fold_parts(&mut self, it: &ComprehensionExpr) -> Result<[Node; 3], CompileError> {
        Ok([
            self.expr(&it.loop_cond)?.0,
            self.expr(&it.loop_step)?.0,
            self.expr(&it.result)?.0,
        ])
    }

    /// `@result + [item]`, which only macros can write.
    pub(super) fn append(&mut self, call: &CallExpr) -> Result<Option<Typed>, CompileError> {
        let [result, list] = call.args.as_slice() else {
            return Ok(None);
        };
        let (Expr::Ident(name), Expr::List(list)) = (&result.expr, &list.expr) else {
            return Ok(None);
        };
        let Some(slot) = self.locals.iter().rposition(|it| it == name) else {
            return Ok(None);
        };
        let [item] = list.elements.as_slice() else {
            return Ok(None);
        };
        if !name.starts_with('@') {
            return Ok(None);
        }
        let (item, _) = self.expr(item)?;
        Ok(Some((Node::Append(slot, Box::new(item)), Type::List)))
    }

    fn call(&mut self, expr: &IdedExpr, it: &CallExpr) -> Result<Typed, CompileError> {
        call::lower(self, expr, it)
    }

    pub(super) fn error(&self, expr: &IdedExpr, message: impl Into<String>) -> CompileError {
        error_at(self.spans.of(expr.id), message)
    }
}

pub(super) fn error_at(at: Option<Range<usize>>, message: impl Into<String>) -> CompileError {
    CompileError {
        message: message.into(),
        at,
        hint: None,
    }
}

fn of_literal(literal: &LiteralValue) -> Typed {
    let (literal, kind) = match literal {
        LiteralValue::Null => (Literal::Null, Type::Null),
        LiteralValue::Boolean(it) => (Literal::Bool(*it.inner()), Type::Bool),
        LiteralValue::Int(it) => (Literal::Int(*it.inner()), Type::Int),
        LiteralValue::UInt(it) => (Literal::Uint(*it.inner()), Type::Uint),
        LiteralValue::Double(it) => (Literal::Double(*it.inner()), Type::Double),
        LiteralValue::String(it) => (Literal::Text(it.inner().to_owned()), Type::Text),
        LiteralValue::Bytes(it) => (Literal::Bytes(it.inner().to_vec()), Type::Bytes),
    };
    (Node::Literal(literal), kind)
}
