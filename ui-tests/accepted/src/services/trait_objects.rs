//! Resources behind traits: `&dyn Trait`, `&Arc<dyn Trait>`, with boxed futures and with parts.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use workflow::prelude::*;

type Answer<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// Finds words.
trait Dictionary: Send + Sync {
    /// Looks one up.
    fn look_up<'a>(&'a self, word: &'a str) -> Answer<'a, Option<String>>;
}

/// Says words.
trait Speaker: Send + Sync {
    /// Says one.
    #[part]
    async fn say(&self, word: &str) -> Result<usize, StepError>;
}

#[part]
async fn translate(dictionary: &dyn Dictionary, word: &str) -> Result<Option<String>, StepError> {
    step!("look up", key = word, dictionary.look_up(word)).await
}

/// Says a sentence in another language.
#[workflow]
async fn say_all(
    sentence: String,
    #[resource] dictionary: &dyn Dictionary,
    #[resource] speaker: &Arc<dyn Speaker>,
) -> workflow::Result<usize> {
    let mut said = 0;
    for (number, word) in sentence.split(' ').enumerate() {
        let word = match translate(dictionary, word).await? {
            Some(word) => word,
            None if number == 0 => continue,
            None => word.to_uppercase(),
        };
        said += speaker.say(&word).await?;
    }
    let speaker: &dyn Speaker = &**speaker;
    Ok(said + speaker.say("!").await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote;

    struct French;
    struct Loud(usize);

    impl Dictionary for French {
        fn look_up<'a>(&'a self, word: &'a str) -> Answer<'a, Option<String>> {
            Box::pin(async move { remote::answer((word == "tea").then(|| "thé".to_owned())).await })
        }
    }

    impl Speaker for Loud {
        #[part]
        async fn say(&self, word: &str) -> Result<usize, StepError> {
            let said = step!("say", key = word, remote::answer(word.chars().count())).await?;
            Ok(said * self.0)
        }
    }

    #[test]
    fn it_is_said() {
        let dictionary: Arc<dyn Dictionary> = Arc::new(French);
        let speaker: Arc<dyn Speaker> = Arc::new(Loud(2));
        let report = say_all::test("some tea please".to_owned()).resource(dictionary).resource(Arc::new(speaker)).run();
        assert_eq!(report.result, Ok(2 * (3 + 6 + 1)));
    }
}
