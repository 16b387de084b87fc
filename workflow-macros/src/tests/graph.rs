//! The flowchart of a workflow.

use crate::graph;
use crate::runtime::Runtime;
use expect_test::{Expect, expect};
use syn::{Block, parse_quote};

fn check(block: &Block, expected: &Expect) {
    expected.assert_eq(&graph::of(block, &Runtime::default()));
}

#[test]
fn a_whole_workflow() {
    let block = parse_quote!({
        let user = step!("fetch user", shop.user(order.user_id)).await?;
        let intent = step!("create payment intent", retries = 3, timeout = 30s, shop.intent(&user)).await?;
        match wait_for::<PaymentConfirmed>("payment").key(&intent.id).timeout(10m).await {
            Ok(_paid) => {}
            Err(TimedOut { .. }) => {
                step!("cancel order", shop.cancel(&order.id)).await?;
                return Ok(Receipt::cancelled("payment_timeout"));
            }
        }
        for item in &order.items {
            step!("reserve", key = item.sku, shop.reserve(item)).await?;
        }
        let (mail, label) = join!(step!("mail", shop.mail(&user)), step!("label", shop.label(&order))).await;
        sleep(24h).await;
        Ok(Receipt::paid(intent))
    });
    check(
        &block,
        &expect![[r#"
        flowchart TD
          n0(("start"))
          n1["fetch user"]
          n0 --> n1
          n2["create payment intent<br/>retries 3<br/>timeout 30s"]
          n1 --> n2
          n3[/"wait for payment<br/>key &amp; intent.id<br/>timeout 10m"/]
          n2 --> n3
          n4{"wait for payment"}
          n3 --> n4
          n5["cancel order"]
          n4 -->|"Err(TimedOut { .. })"| n5
          n6(("Ok(Receipt::cancelled('payment_timeout'))"))
          n5 --> n6
          n7{{"for item in &amp; order.items"}}
          n4 -->|"Ok(_paid)"| n7
          n8["reserve<br/>key item.sku"]
          n7 -->|"each"| n8
          n8 --> n7
          n9[/"all"\]
          n7 -->|"done"| n9
          n10["mail"]
          n9 --> n10
          n11["label"]
          n9 --> n11
          n12[\"joined"/]
          n10 --> n12
          n11 --> n12
          n13(["sleep 24h"])
          n12 --> n13
          n14(("end"))
          n13 --> n14
    "#]],
    );
}

#[test]
fn groups_races_and_helpers() {
    let block = parse_quote!({
        let paid = group!("pay", retries = 2, {
            let hold = step!("hold", bank.hold()).await?;
            Ok(settle(&hold).await?)
        })
        .await?;
        race! {
            _ = wait_for::<Cancelled>("cancelled") => return Err(stopped()),
            _ = sleep(1h) => { step!("remind", mail.remind()).await?; }
        }
        .await;
        if quick && paid.total > 3 {
            bank.notify(&paid).await;
        }
        join_all(paid.items.iter().map(|item| step!("ship", key = item.id, ship(item)))).await;
        Ok(())
    });
    check(
        &block,
        &expect![[r#"
        flowchart TD
          n0(("start"))
          subgraph g1["pay<br/>retries 2"]
          n1(( ))
          n2["hold"]
          n1 --> n2
          n3[["settle"]]
          n2 --> n3
          end
          n0 --> n1
          n4[/"the first of"\]
          n3 --> n4
          n5[/"wait for cancelled"/]
          n4 --> n5
          n6(("Err(stopped())"))
          n5 --> n6
          n7(["sleep 1h"])
          n4 --> n7
          n8["remind"]
          n7 --> n8
          n9{"quick &amp;&amp; paid.total &gt; 3"}
          n8 --> n9
          n10[["notify"]]
          n9 -->|"yes"| n10
          n11{{"each item"}}
          n10 --> n11
          n9 -->|"no"| n11
          n12["ship<br/>key item.id"]
          n11 -->|"each"| n12
          n12 --> n11
          n13(("end"))
          n11 -->|"done"| n13
    "#]],
    );
}

#[test]
fn what_holds_no_operation_is_not_drawn() {
    let block = parse_quote!({
        if order.is_empty() {
            log(order);
        }
        let now = now().await;
        order.total()
    });
    check(
        &block,
        &expect![[r#"
        flowchart TD
          n0(("start"))
          n1(("end"))
          n0 --> n1
    "#]],
    );
}
