//! Matrices and other environments of LaTeX.

use super::expr::single_or;
use super::lex::Kind;
use super::{ParseError, Parser};
use crate::math::answer::{Answer, Expr};

impl Parser<'_, '_> {
    /// `\begin{…} … \end{…}`.
    fn environment(&mut self) -> Result<Answer, ParseError> {
        let &Kind::Begin(name) = self.kind() else { return Err(self.error("an environment")) };
        self.advance()?;
        match name.trim_end_matches('*') {
            "pmatrix" | "bmatrix" | "Bmatrix" | "matrix" | "smallmatrix" | "psmallmatrix" | "array" => {
                let rows = self.outside_bars(|parser| parser.rows(name))?;
                let width = rows.first().map_or(0, Vec::len);
                if width == 0 || rows.iter().any(|row| row.len() != width) {
                    return Err(self.error("rows of equal length in the matrix"));
                }
                let rows = if self.transposed()? { transpose(rows, width) } else { rows };
                Ok(Answer::Matrix(rows))
            }
            "cases" | "aligned" | "align" | "gathered" | "gather" | "split" | "equation" => {
                let items = self.outside_bars(|parser| parser.lines(name))?;
                Ok(match <[Answer; 1]>::try_from(items) {
                    Ok([only]) => only,
                    Err(items) => Answer::List(items),
                })
            }
            _ => Err(self.error("a matrix, cases or aligned lines")),
        }
    }

    fn rows(&mut self, name: &str) -> Result<Vec<Vec<Expr>>, ParseError> {
        let mut rows = vec![Vec::new()];
        loop {
            if let Kind::Finish(end) = self.kind() {
                if *end != name {
                    return Err(self.error("the end of the environment that is open"));
                }
                self.advance()?;
                // A last row may end with `\\`.
                if rows.last().is_some_and(Vec::is_empty) {
                    rows.pop();
                }
                return Ok(rows);
            }
            let cell = self.expression()?;
            if let Some(row) = rows.last_mut() {
                row.push(cell);
            }
            match self.sign() {
                Some('&') => self.advance()?,
                Some('\n') => {
                    self.advance()?;
                    rows.push(Vec::new());
                }
                _ if matches!(self.kind(), Kind::Finish(_)) => {}
                _ => return Err(self.error("the next cell, the next row, or the end of the matrix")),
            }
        }
    }

    /// The lines of `cases` and its like. A mark of alignment beside a relation means nothing, another one begins a condition.
    fn lines(&mut self, name: &str) -> Result<Vec<Answer>, ParseError> {
        let mut items = Vec::new();
        // Which tokens are alignment is known here, so that they can be taken out of the lines.
        let mut depth = 0_usize;
        let mut at = self.at;
        let mut kept = Vec::new();
        loop {
            match self.kind_at(at) {
                Kind::End => break,
                Kind::Finish(_) if depth == 0 => break,
                Kind::Begin(_) => depth += 1,
                Kind::Finish(_) => depth -= 1,
                _ => {}
            }
            let related = |at: usize| matches!(self.sign_at(at), Some('=' | '<' | '>' | '≤' | '≥' | '≠' | '≈' | '≡'));
            let aligns = self.sign_at(at) == Some('&') && (related(at + 1) || related(at.saturating_sub(1)));
            if depth > 0 || !aligns {
                kept.push(self.tokens[at].clone());
            }
            at += 1;
        }
        self.work.pay(kept.len() as u64 * 8)?;
        let start = self.at;
        let removed = at - start - kept.len();
        self.tokens.splice(start..at, kept);
        if removed > 0 {
            self.groups = super::groups(&self.tokens);
            self.work.pay(self.tokens.len() as u64 * 2)?;
        }
        loop {
            while matches!(self.sign(), Some('\n' | ',' | ';')) {
                self.advance()?;
            }
            if let Kind::Finish(end) = self.kind() {
                if *end != name {
                    return Err(self.error("the end of the environment that is open"));
                }
                self.advance()?;
                return Ok(items);
            }
            let line = self.relation()?;
            items.push(if self.eat('&')? { Answer::Tuple(vec![line, self.case()?]) } else { line });
            if !matches!(self.kind(), Kind::Sign('\n' | ',' | ';') | Kind::Finish(_)) {
                return Err(self.error("the next line or the end of the environment"));
            }
        }
    }

    /// The condition of a case: "if x > 0", "otherwise".
    fn case(&mut self) -> Result<Answer, ParseError> {
        while matches!(self.word_at(self.at), Some("if" | "when" | "for")) || self.sign() == Some(',') {
            self.advance()?;
        }
        self.relation()
    }

    /// A sum of products of matrices, each perhaps with a factor in front, of which the first one was read:
    /// `2 \begin{pmatrix} … \end{pmatrix} + …`. What else an environment may be stands alone.
    pub(super) fn matrix_sum(&mut self, factor: Option<&Expr>) -> Result<Answer, ParseError> {
        let mut sum = match self.matrix_product(factor)? {
            Answer::Matrix(rows) => rows,
            other if factor.is_none() => return Ok(other),
            _ => return Err(self.error("a matrix behind its factor")),
        };
        while let Some(sign @ ('+' | '-')) = self.sign() {
            self.advance()?;
            let factor = if let Kind::Begin(_) = self.kind() { None } else { Some(self.product()?) };
            let minus_one = (sign == '-').then(|| Expr::negative(Expr::whole(1)));
            let factors: Vec<Expr> = minus_one.into_iter().chain(factor).collect();
            let factor = (!factors.is_empty()).then(|| single_or(factors, Expr::Product));
            let Answer::Matrix(term) = self.matrix_product(factor.as_ref())? else { return Err(self.error("a matrix")) };
            if term.len() != sum.len() || term[0].len() != sum[0].len() {
                return Err(self.error("matrices of the same shape"));
            }
            self.work.pay(matrix_size(&sum) + matrix_size(&term))?;
            let add = |(a, b)| Expr::Sum(vec![a, b]);
            sum = sum.into_iter().zip(term).map(|(a, b)| a.into_iter().zip(b).map(add).collect()).collect();
        }
        Ok(Answer::Matrix(sum))
    }

    /// Matrices side by side, with or without a sign of multiplication between them, and their factor.
    fn matrix_product(&mut self, factor: Option<&Expr>) -> Result<Answer, ParseError> {
        let mut product = match self.environment()? {
            Answer::Matrix(rows) => rows,
            other => return Ok(other),
        };
        loop {
            let sign = usize::from(self.sign() == Some('*'));
            if !matches!(self.kind_at(self.at + sign), Kind::Begin(_)) {
                break;
            }
            self.at += sign;
            let Answer::Matrix(next) = self.environment()? else { return Err(self.error("a matrix")) };
            if product[0].len() != next.len() {
                return Err(self.error("a matrix with as many rows as the one before it has columns"));
            }
            let (height, width) = (product.len() as u64, next[0].len() as u64);
            self.work.pay(width * matrix_size(&product) + height * matrix_size(&next))?;
            product = multiplied(&product, &next);
        }
        let Some(factor) = factor else { return Ok(Answer::Matrix(product)) };
        self.work.pay(matrix_size(&product) + product.len() as u64 * product[0].len() as u64 * size(factor))?;
        let scaled = product.into_iter().map(|row| row.into_iter().map(|cell| Expr::Product(vec![factor.clone(), cell])).collect());
        Ok(Answer::Matrix(scaled.collect()))
    }
}

/// The product of two matrices whose shapes fit.
fn multiplied(a: &[Vec<Expr>], b: &[Vec<Expr>]) -> Vec<Vec<Expr>> {
    let cell = |row: &[Expr], column: usize| {
        let terms = row.iter().zip(b).map(|(left, right)| Expr::Product(vec![left.clone(), right[column].clone()]));
        single_or(terms.collect(), Expr::Sum)
    };
    a.iter().map(|row| (0..b[0].len()).map(|column| cell(row, column)).collect()).collect()
}

/// The number of nodes in all cells.
fn matrix_size(rows: &[Vec<Expr>]) -> u64 {
    rows.iter().flatten().map(size).sum()
}

/// The number of nodes of a tree.
fn size(expr: &Expr) -> u64 {
    let all = |parts: &[Expr]| parts.iter().map(size).sum::<u64>();
    1 + match expr {
        Expr::Number(_) | Expr::Symbol(_) | Expr::Constant(_) => 4,
        Expr::Sum(parts) | Expr::Product(parts) | Expr::Apply(_, parts) => all(parts),
        Expr::Quotient(a, b) | Expr::Power(a, b) | Expr::Root { degree: a, radicand: b } => size(a) + size(b),
        Expr::Negative(inner) | Expr::PlusMinus(inner) | Expr::MinusPlus(inner) => size(inner),
        Expr::Series { low, high, body, .. } => size(low) + size(high) + size(body),
    }
}

fn transpose(rows: Vec<Vec<Expr>>, width: usize) -> Vec<Vec<Expr>> {
    let mut columns: Vec<Vec<Expr>> = (0..width).map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        for (column, cell) in columns.iter_mut().zip(row) {
            column.push(cell);
        }
    }
    columns
}
