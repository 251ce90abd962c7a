//! Which columns and in which order: `--columns`, `--sort`, and what a width leaves room for.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::Options;
use super::record::{Cell, Column, Record, Report, Shown, Value};
use crate::error::{Error, Result};
use crate::suggest;

/// The order `--sort` asks for.
pub(super) struct Order<R: 'static> {
    column: &'static Column<R>,
    descending: bool,
}

/// The columns that `--columns` names, in its order, a JSON object's key for all below it; `None` where it was
/// not given.
///
/// Errors: an unknown name is a usage error that lists the known ones.
pub(super) fn named<R: Record>(options: &Options) -> Result<Option<Vec<&'static Column<R>>>> {
    let Some(ids) = &options.columns else { return Ok(None) };
    let mut columns: Vec<&'static Column<R>> = Vec::new();
    for id in ids {
        let is_below =
            |column: &&Column<R>| column.id.strip_prefix(id.as_str()).is_some_and(|it| it.starts_with('.'));
        let is_column = R::columns().iter().any(|column| column.id == id);
        let below: Vec<&'static Column<R>> = R::columns().iter().filter(is_below).collect();
        let found = if is_column || below.is_empty() { vec![find(id, "--columns")?] } else { below };
        for column in found {
            if !columns.iter().any(|known| known.id == column.id) {
                columns.push(column);
            }
        }
    }
    Ok(Some(columns))
}

/// The columns with these ids, as far as the record has them.
pub(super) fn of_ids<R: Record>(ids: &[&str]) -> Vec<&'static Column<R>> {
    ids.iter().filter_map(|id| R::columns().iter().find(|column| column.id == *id)).collect()
}

/// The order that `--sort` asks for; a leading `-` turns it round.
pub(super) fn order<R: Record>(options: &Options) -> Result<Option<Order<R>>> {
    let Some(sort) = &options.sort else { return Ok(None) };
    let (descending, id) = match sort.strip_prefix('-') {
        Some(id) => (true, id),
        None => (false, sort.as_str()),
    };
    Ok(Some(Order { column: find(id, "--sort")?, descending }))
}

/// The ids that `--columns` and `--sort` name, as far as they name any.
pub(super) fn ids<R: Record>(options: &Options) -> Vec<&'static str> {
    let columns = named::<R>(options).ok().flatten().unwrap_or_default();
    let order = order::<R>(options).ok().flatten().map(|order| order.column);
    columns.into_iter().chain(order).map(|column| column.id).collect()
}

/// A name as it is compared: `AVG ms`, `avg_ms` and `Avg-Ms` are the same.
fn normal(name: &str) -> String {
    let parts: Vec<String> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_lowercase)
        .collect();
    parts.join("_")
}

/// The column of a name: its id, its heading, or the last part of its id where only one column has it, in any case.
fn find<R: Record>(name: &str, option: &str) -> Result<&'static Column<R>> {
    let columns = R::columns();
    let wanted = normal(name);
    let by_id = |column: &&Column<R>| column.id == name;
    let by_id_in_any_case = |column: &&Column<R>| normal(column.id) == wanted;
    let by_title = |column: &&Column<R>| normal(column.title) == wanted;
    if let Some(found) = columns.iter().find(by_id).or_else(|| columns.iter().find(by_id_in_any_case)) {
        return Ok(found);
    }
    let titled: Vec<&'static Column<R>> = columns.iter().filter(by_title).collect();
    if let [only] = titled.as_slice() {
        return Ok(only);
    }
    let by_last_part =
        |column: &&Column<R>| column.id.rsplit('.').next().is_some_and(|last| normal(last) == wanted);
    let ending: Vec<&'static Column<R>> = columns.iter().filter(by_last_part).collect();
    let meant = if titled.is_empty() { ending } else { titled };
    if let [only] = meant.as_slice() {
        return Ok(only);
    }
    let names = || columns.iter().flat_map(|column| [column.id, column.title]);
    let error = if meant.is_empty() {
        let error = Error::usage(format!("unknown column '{name}' in {option}"));
        let near = suggest::nearest(name, names()).into_iter().next();
        // A heading stands for its column's id, which is the same in every format.
        let id =
            near.and_then(|near| columns.iter().find(|it| it.id == near || it.title == near)).map(|it| it.id);
        match id {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error,
        }
    } else {
        let ids: Vec<&str> = meant.iter().map(|column| column.id).collect();
        Error::usage(format!("'{name}' in {option} is ambiguous: {}", ids.join(", ")))
    };
    Err(error.listing("the columns are", columns.iter().map(|column| column.id)))
}

/// The rows of a report in the order asked for, made one at a time.
pub(super) struct Rows<'a, R: Clone> {
    row: &'a dyn Fn(usize) -> Cow<'a, R>,
    order: &'a [usize],
}

impl<'a, R: Record + Clone> Rows<'a, R> {
    pub(super) fn new(row: &'a dyn Fn(usize) -> Cow<'a, R>, order: &'a [usize]) -> Self {
        Self { row, order }
    }

    pub(super) fn count(&self) -> usize {
        self.order.len()
    }

    /// The indices of the rows in their order.
    pub(super) fn order(&self) -> &'a [usize] {
        self.order
    }

    pub(super) fn get(&self, index: usize) -> Cow<'a, R> {
        (self.row)(self.order[index])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Cow<'a, R>> {
        self.order.iter().map(|index| (self.row)(*index))
    }
}

/// Which columns are to be shown.
#[derive(Clone)]
pub(super) enum Choice<R: 'static> {
    /// These, in this order.
    Named(Vec<&'static Column<R>>),
    /// Those that have something to say, or all.
    Default { verbose: bool },
}

impl<R: Record + Clone> Choice<R> {
    /// The columns that may be shown, each with whether it is for sure.
    pub(super) fn candidates(&self) -> Vec<(&'static Column<R>, bool)> {
        match self {
            Self::Named(columns) => columns.iter().map(|column| (*column, true)).collect(),
            Self::Default { verbose } => {
                let candidates =
                    R::columns().iter().map(|column| (column, matches!(column.shown, Shown::Always)));
                candidates.filter(|(column, _)| *verbose || !matches!(column.shown, Shown::Verbose)).collect()
            }
        }
    }

    /// Whether a row makes one of the candidates worth showing.
    pub(super) fn shows(&self, column: &Column<R>, row: &R, cell: &Cell) -> bool {
        match self {
            Self::Named(_) => true,
            // With everything asked for, whatever has something to say.
            Self::Default { verbose: true } => !cell.value.is_missing(),
            Self::Default { verbose: false } => column.shown.holds(row, cell),
        }
    }

    /// The columns for these rows. Each row is made once, in their order, and told with the columns that are to be
    /// shown as far as is known by then; gives whether one became known too late to be told of all its rows.
    pub(super) fn columns(
        &self,
        rows: &Rows<'_, R>,
        mut each: impl FnMut(&R, usize, &'static Column<R>),
    ) -> (Vec<&'static Column<R>>, bool) {
        let columns: Vec<&'static Column<R>> = match self {
            Self::Named(columns) => columns.clone(),
            Self::Default { .. } => R::columns().iter().collect(),
        };
        let is_for_sure = |column: &&'static Column<R>| match self {
            Self::Named(_) => true,
            Self::Default { .. } => matches!(column.shown, Shown::Always),
        };
        let is_verbose = matches!(self, Self::Default { verbose: true });
        let mut shown: Vec<bool> = columns.iter().map(is_for_sure).collect();
        let mut is_late = false;
        for (place, row) in rows.iter().enumerate() {
            for (index, (column, shown)) in columns.iter().zip(&mut shown).enumerate() {
                if !*shown {
                    *shown = match column.shown {
                        _ if is_verbose => !(column.cell)(&row).value.is_missing(),
                        Shown::IfAny => column.shown.holds(&row, &(column.cell)(&row)),
                        Shown::IfSo(holds) => holds(&row),
                        Shown::Always | Shown::Verbose => false,
                    };
                    is_late |= *shown && place > 0;
                }
                if *shown {
                    each(&row, index, column);
                }
            }
        }
        (
            columns.into_iter().zip(shown).filter_map(|(column, shown)| shown.then_some(column)).collect(),
            is_late,
        )
    }
}

/// The indices of the rows in the order asked for; rows with nothing in that column come last.
pub(super) fn sorted<R: Report>(report: &R, order: Option<&Order<R::Row>>) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..report.row_count()).collect();
    if let Some(order) = order {
        let key = |index: &usize| (order.column.cell)(&report.row(*index)).value;
        let keys: Vec<Value> = indices.iter().map(key).collect();
        indices.sort_by(|a, b| {
            let (a, b) = (&keys[*a], &keys[*b]);
            let both = a.is_missing().cmp(&b.is_missing());
            let by_value = compare(a, b);
            both.then(if order.descending { by_value.reverse() } else { by_value })
        });
    }
    indices
}

/// A total order: numbers, then texts, then lists, then what cannot be told, then what there is none of.
pub(super) fn compare(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Flag(_) | Value::Integer(_) | Value::Real { .. } => 0,
        Value::Text(_) | Value::Word(_) | Value::Named { .. } => 1,
        Value::Ip(..) => 2,
        Value::List(_) | Value::Series(_) | Value::Trend(_) => 3,
        Value::Unsupported => 4,
        Value::Denied => 5,
        Value::Missing => 6,
    };
    match (a, b) {
        (Value::List(a) | Value::Series(a), Value::List(b) | Value::Series(b)) => {
            let differing = a.iter().zip(b).map(|(a, b)| compare(a, b)).find(|order| order.is_ne());
            differing.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Ip(a, a_length), Value::Ip(b, b_length)) => a.cmp(b).then(a_length.cmp(b_length)),
        (Value::Text(a), Value::Text(b)) => natural(&a.to_lossy(), &b.to_lossy()),
        (Value::Word(a), Value::Word(b)) | (Value::Named { shown: a, .. }, Value::Named { shown: b, .. }) => {
            natural(a, b)
        }
        (Value::Word(a), Value::Text(b)) => natural(a, &b.to_lossy()),
        (Value::Text(a), Value::Word(b)) => natural(&a.to_lossy(), b),
        _ => rank(a).cmp(&rank(b)).then_with(|| number(a).total_cmp(&number(b))),
    }
}

#[expect(clippy::cast_precision_loss, reason = "an order for people; 2^53 is far beyond any column")]
fn number(value: &Value) -> f64 {
    match value {
        Value::Flag(is) => f64::from(u8::from(*is)),
        Value::Integer(number) => *number as f64,
        Value::Real { raw, .. } => *raw,
        _ => 0.0,
    }
}

/// Compares text with its runs of digits taken as numbers: eth2 before eth10, 10.0.0.9 before 10.0.0.10.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (Some(x), Some(y)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
        };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (x, y) = (digits(&mut left), digits(&mut right));
            let by_number = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
            if by_number.is_ne() {
                return by_number;
            }
        } else if x == y {
            (left, right) = (&left[x.len_utf8()..], &right[y.len_utf8()..]);
        } else {
            return x.cmp(&y);
        }
    }
}

/// Takes the run of digits off the front, and gives it without leading zeros.
fn digits<'a>(text: &mut &'a str) -> &'a str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    *text = rest;
    run.trim_start_matches('0')
}

/// The ids of the columns that some of the first rows want to be kept.
pub(super) fn kept<R: Record + Clone>(
    columns: &[&'static Column<R>],
    rows: &Rows<'_, R>,
) -> Vec<&'static str> {
    /// What a report is about shows in its first rows.
    const LOOKED_AT: usize = 8;
    let wants = |column: &&&'static Column<R>| {
        column.kept.is_some_and(|holds| rows.iter().take(LOOKED_AT).any(|row| holds(&row)))
    };
    columns.iter().filter(wants).map(|column| column.id).collect()
}

/// Drops columns of at least this priority number, the highest first and of equals the last, until `fits`.
pub(super) fn narrow<R: Record>(
    columns: &mut Vec<&'static Column<R>>,
    kept: &[&str],
    least: u8,
    fits: impl Fn(&[&'static Column<R>]) -> bool,
) -> Vec<&'static str> {
    let priority = |column: &Column<R>| if kept.contains(&column.id) { 1 } else { column.priority };
    let mut dropped = Vec::new();
    while !fits(columns) {
        let candidate = columns.iter().enumerate().filter(|(_, column)| priority(column) >= least);
        let Some((index, _)) = candidate.max_by_key(|(index, column)| (priority(column), *index)) else {
            break;
        };
        dropped.push(columns.remove(index).id);
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_signs() {
        for (name, same) in
            [("AVG ms", "avg_ms"), ("LOSS %", "loss"), ("RX/s", "rx_s"), ("rtt_us.avg", "rtt_us_avg")]
        {
            assert_eq!(normal(name), same);
        }
    }

    #[test]
    fn digits_sort_as_numbers() {
        for (less, more) in [
            ("eth2", "eth10"),
            ("10.0.0.9", "10.0.0.10"),
            ("a", "b"),
            ("a", "a1"),
            ("a01", "a2"),
            ("", "a"),
            ("é1", "é2"),
        ] {
            assert_eq!(natural(less, more), Ordering::Less, "{less} < {more}");
            assert_eq!(natural(more, less), Ordering::Greater, "{more} > {less}");
        }
        assert_eq!(natural("eth1", "eth1"), Ordering::Equal);
    }

    /// Every pair is antisymmetric and every triple transitive, for values of every shape next to each other.
    #[test]
    fn the_order_is_total() {
        let text = |text: &str| Value::Text(text.into());
        let mut values =
            vec![Value::Missing, Value::Unsupported, Value::Denied, Value::Integer(7), Value::Integer(-1)];
        values.push(Value::Real { value: 7.5, raw: 7.5, decimals: 1 });
        values.extend(["", "a", "a1", "a01", "a2", "a10", "b", "10.0.0.9", "10.0.0.10", "é", "1"].map(text));
        let parts = values.clone();
        for a in &parts {
            values.push(Value::List(vec![a.clone()]));
            values.extend(parts.iter().step_by(3).map(|b| Value::List(vec![a.clone(), b.clone()])));
        }
        for a in &values {
            for b in &values {
                assert_eq!(compare(a, b), compare(b, a).reverse(), "{a:?} and {b:?}");
                for c in values.iter().step_by(2) {
                    let is_chain = compare(a, b).is_le() && compare(b, c).is_le();
                    assert!(!is_chain || compare(a, c).is_le(), "{a:?} <= {b:?} <= {c:?}");
                }
            }
        }
    }
}
