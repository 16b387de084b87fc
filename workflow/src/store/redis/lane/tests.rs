//! Tests of lanes: on wires of their own, with time that is held still.

use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::*;
use crate::store::redis::job::{Answers, Route};
use crate::store::redis::places::Address;
use crate::store::redis::topology::Slot;
use crate::store::redis::url::Target;

fn asked() -> (Job, tokio::sync::oneshot::Receiver<Answers>) {
    let mut question = Pipeline::new();
    question.cmd("PING");
    Job::new(Work::Read(question), Route::Slot(Slot::of(b"a")))
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_is_doubted_and_not_waited_for_once_it_is_replaced() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
    let patient = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(3_600)));
    let made = MultiplexedConnection::new_with_config(&settings, ours, patient).await;
    let (connection, driver) = made.expect("nothing is asked");
    let mut driving = JoinSet::new();
    driving.spawn(driver);
    let target = Target::parse("redis+cluster://h").expect("a url");
    let dialer = Dialer::new(&target, &Address::Tcp("h".to_owned(), 1), Arc::default()).expect("a dialer");
    let (tell, mut news) = mpsc::unbounded_channel();
    let mut lane = Lane::new(dialer, tell);
    // As if it had connected.
    lane.line = Line::Up { connection, answered: true, known: Known::default() };
    let script = Arc::new(Script::new("one", "return 1".to_owned()));
    let mut calls = Pipeline::new();
    calls.add_command(script.call::<&[u8]>(&[], &[]));
    let (job, answered) = Job::new(Work::Calls { script, calls }, Route::Slot(Slot::of(b"a")));
    lane.take(job);
    let (job, _read) = asked();
    lane.take(job);
    let (mut wire, mut sent) = ([0; 256], Vec::new());
    while !sent.windows(4).any(|bytes| bytes == b"PING") || !sent.windows(7).any(|bytes| bytes == b"EVALSHA") {
        let read = theirs.read(&mut wire).await.expect("a stream");
        sent.extend_from_slice(&wire[..read]);
    }
    tokio::time::advance(SILENT / 2).await;
    lane.look_whether_silent();
    assert!(news.try_recv().is_err(), "it may yet answer");
    tokio::time::advance(SILENT / 2).await;
    lane.look_whether_silent();
    assert!(matches!(news.try_recv(), Ok(News::Doubt)));
    lane.leave().await;
    match answered.await.expect("it is answered") {
        Err(StoreError::Unavailable { message, .. }) => assert_eq!(message, REPLACED),
        other => panic!("nobody knows whether it was carried out: {other:?}"),
    }
    // Reading twice harms nobody.
    let given_back = std::iter::from_fn(|| news.try_recv().ok());
    let reads =
        given_back.filter(|news| matches!(news, News::Turned(Job { work: Work::Read(_), .. }, Turn::Unsent, _)));
    assert_eq!(reads.count(), 1);
}

#[tokio::test]
async fn what_was_never_sent_is_given_back_by_a_lane_that_is_left() {
    let target = Target::parse("redis+cluster://h").expect("a url");
    let dialer = Dialer::new(&target, &Address::Tcp("h".to_owned(), 1), Arc::default()).expect("a dialer");
    let (tell, mut news) = mpsc::unbounded_channel();
    let mut lane = Lane::new(dialer, tell);
    let (job, mut answered) = asked();
    lane.take(job);
    lane.leave().await;
    let Some(News::Turned(job, Turn::Unsent, _)) = news.recv().await else { panic!("it is given back") };
    assert!(answered.try_recv().is_err(), "it can be asked elsewhere");
    job.answer(Ok(Vec::new()));
    assert!(answered.await.expect("its caller waits").is_ok());
}

/// A server that does not have the script when it is asked first, and is given it by someone else right after.
/// Gives what it carried out.
async fn serve_and_forget_once(mut stream: DuplexStream) -> Vec<String> {
    let (mut read, mut done, mut has_script) = (Vec::new(), Vec::new(), false);
    while stream.read_buf(&mut read).await.expect("a stream") > 0 {
        while let Some((words, length)) = command(&read) {
            read.drain(..length);
            let answer: &[u8] = match words[0].as_str() {
                "EVALSHA" if has_script => {
                    done.push(words[3].clone());
                    b":1\r\n"
                }
                "EVALSHA" => b"-NOSCRIPT No matching script.\r\n",
                _ => b"+OK\r\n",
            };
            has_script = true;
            stream.write_all(answer).await.expect("a stream");
        }
    }
    done
}

/// The first whole command, and its length.
fn command(read: &[u8]) -> Option<(Vec<String>, usize)> {
    let line = |from: usize| {
        let length = read.get(from..)?.windows(2).position(|pair| pair == b"\r\n")?;
        Some((std::str::from_utf8(&read[from + 1..from + length]).ok()?.parse::<usize>().ok()?, from + length + 2))
    };
    let (count, mut at) = line(0)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (length, from) = line(at)?;
        words.push(String::from_utf8_lossy(read.get(from..from + length)?).into_owned());
        at = from + length + 2;
    }
    (at <= read.len()).then_some((words, at))
}

#[tokio::test]
async fn calls_are_carried_out_in_order_though_another_client_brings_the_script() {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let script = Script::new("one", "return 1".to_owned());
    let mut calls = Pipeline::new();
    for number in ["1", "2", "3"] {
        calls.add_command(script.call(&[], &[number.as_bytes().to_vec()]));
    }
    let known = Known::default();
    let asking = async {
        let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        let (mut connection, driver) = MultiplexedConnection::new(&settings, ours).await.expect("nothing is asked");
        tokio::select! {
            values = call_in_order(&mut connection, &known, &script, &calls) => values.expect("they are answered"),
            () = driver => panic!("the connection ends after the calls"),
        }
    };
    let (done, values) = tokio::join!(serve_and_forget_once(theirs), asking);
    assert_eq!(values, vec![Value::Int(1); 3]);
    assert_eq!(done, ["1", "2", "3"]);
    assert!(known.lock().expect("nobody panics").contains("one"));
}
