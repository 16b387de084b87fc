//! Bodies as they are while somebody types them.

use crate::name::Kind;
use crate::{part, step, workflow};
use proc_macro2::TokenStream;
use quote::quote;

/// What is typed half: a missing semicolon, a method without a name, a value, an arm.
fn half_typed() -> [TokenStream; 4] {
    [
        quote!({
            let user = step!("user", user(id)).await?
            let paid = step!("pay", pay(user)).await?;
            Ok(paid)
        }),
        quote!({ let user = step!("user", user(id)).await?; user. }),
        quote!({ let user = ; Ok(1) }),
        quote!({ match id { 1 => } }),
    ]
}

/// The item stands in the expansion as it was written, for an IDE; the compiler itself says what is wrong with it.
fn keeps(expanded: &TokenStream, item: &TokenStream) {
    let (expanded, item) = (expanded.to_string(), item.to_string());
    assert!(expanded.contains(&format!("unread ! {{ {item} }}")), "{expanded}");
    assert!(!expanded.contains("compile_error"), "{expanded}");
}

#[test]
fn a_workflow_that_cannot_be_read_keeps_its_item_and_its_handle() {
    for body in half_typed() {
        let item = quote!(pub async fn order(id: u64) -> workflow::Result<u64> #body);
        let expanded = workflow::expand(TokenStream::new(), item.clone());
        keeps(&expanded, &item);
        let expanded = expanded.to_string();
        assert!(expanded.contains("pub struct order") && expanded.contains("pub fn create"), "{expanded}");
    }
}

#[test]
fn a_part_that_cannot_be_read_keeps_its_item_and_its_signature() {
    for body in half_typed() {
        let item = quote!(async fn helper(id: u64) -> workflow::Result<u64> #body);
        let expanded = part::expand(TokenStream::new(), item.clone());
        keeps(&expanded, &item);
        assert!(expanded.to_string().contains("fn helper (id : u64) ->"), "{expanded}");
    }
}

#[test]
fn a_step_that_is_half_typed_makes_one_mistake_and_loses_nothing_else() {
    for (call, mistakes) in
        [(quote!(), 1), (quote!("pay",), 1), (quote!("pay", retries = , pay()), 1), (quote!("pay" pay()), 1)]
    {
        let item = quote!(
            async fn order(id: u64) -> workflow::Result<u64> {
                let paid = step!(#call).await?;
                Ok(paid)
            }
        );
        let expanded = workflow::expand(TokenStream::new(), item).to_string();
        assert_eq!(expanded.matches("compile_error").count(), mistakes, "{expanded}");
        assert!(expanded.contains("struct order"), "{expanded}");
    }
    assert!(step::expand(Kind::Step, quote!("pay", pay())).to_string().contains("compile_error"));
}
