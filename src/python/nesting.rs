//! Refuses source that is nested deeper than Python itself accepts, before it is parsed.
//!
//! A syntax tree is dropped by recursion: one that is too deep would end the process. Looks at tokens only.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer};

/// CPython's limit of indentation.
const INDENTS: usize = 100;
/// CPython's limit of brackets within brackets.
const BRACKETS: usize = 200;
/// Operators in a chain; CPython's compiler gives up at some 3,000.
const CHAIN: usize = 1_500;

/// Why `text` is nested too deep, if it is.
pub fn refusal(text: &str) -> Option<&'static str> {
    let mut lexer = lexer::lex(text, Mode::Module);
    // How long the chain of operators is at each level of brackets, and in all of them.
    let (mut levels, mut depth, mut indents) = (vec![0_usize], 0_usize, 0_usize);
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return None,
            TokenKind::Indent => indents += 1,
            TokenKind::Dedent => indents = indents.saturating_sub(1),
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => levels.push(0),
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                depth -= levels.pop().unwrap_or(0);
                deepen(&mut levels, &mut depth);
            }
            TokenKind::Newline => {
                levels = vec![0];
                depth = 0;
            }
            kind if is_link(kind) => deepen(&mut levels, &mut depth),
            kind if is_sibling(kind) => depth -= levels.last_mut().map_or(0, std::mem::take),
            _ => {}
        }
        if indents > INDENTS {
            return Some("too many levels of indentation");
        }
        if levels.len() > BRACKETS {
            return Some("too many nested parentheses");
        }
        if depth > CHAIN {
            return Some("an expression is nested too deep");
        }
    }
}

fn deepen(levels: &mut [usize], depth: &mut usize) {
    if let Some(level) = levels.last_mut() {
        *level += 1;
        *depth += 1;
    }
}

/// What makes an expression an operand of another one.
fn is_link(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Plus
            | TokenKind::Minus
            | TokenKind::Star
            | TokenKind::DoubleStar
            | TokenKind::Slash
            | TokenKind::DoubleSlash
            | TokenKind::Percent
            | TokenKind::Vbar
            | TokenKind::Amper
            | TokenKind::CircumFlex
            | TokenKind::LeftShift
            | TokenKind::RightShift
            | TokenKind::At
            | TokenKind::Tilde
            | TokenKind::Dot
            | TokenKind::Not
            | TokenKind::Await
            | TokenKind::Lambda
            | TokenKind::If
            | TokenKind::Else
            | TokenKind::ColonEqual
            | TokenKind::FStringStart
    )
}

/// What ends an expression beside the next one.
fn is_sibling(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Comma | TokenKind::And | TokenKind::Or | TokenKind::Equal | TokenKind::EqEqual
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("(".repeat(150) + &")".repeat(150), None)]
    #[case("(".repeat(5_000), Some("too many nested parentheses"))]
    #[case("[{(".repeat(100), Some("too many nested parentheses"))]
    #[case("x = ".to_owned() + &"-".repeat(100_000) + "1", Some("an expression is nested too deep"))]
    #[case("x = 1".to_owned() + &" + 1".repeat(100_000), Some("an expression is nested too deep"))]
    #[case("x = a".to_owned() + &".b()".repeat(50_000), Some("an expression is nested too deep"))]
    #[case("x = ".to_owned() + &"lambda: ".repeat(50_000) + "1", Some("an expression is nested too deep"))]
    #[case("x = ".to_owned() + &"not ".repeat(50_000) + "1", Some("an expression is nested too deep"))]
    #[case("x = 1".to_owned() + &" if a else 1".repeat(50_000), Some("an expression is nested too deep"))]
    #[case((0..200).map(|depth| " ".repeat(depth) + "if a:\n").collect(), Some("too many levels of indentation"))]
    #[case("x = [".to_owned() + &"{'a': -1, 'b': c.d},".repeat(100_000) + "]", None)]
    #[case("if a == 1".to_owned() + &" or a == 1".repeat(20_000) + ": pass", None)]
    #[case("a.b(-1)\n".repeat(20_000), None)]
    fn only_what_python_refuses_is_refused(#[case] text: String, #[case] expected: Option<&str>) {
        assert_eq!(refusal(&text), expected);
    }
}
