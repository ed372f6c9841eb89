#include "paxos/founding.hpp"

#include <algorithm>

#include "base/ensure.hpp"

namespace quorate::paxos {
namespace {

std::size_t majority(const Seats& seats) {
  return seats.size() / 2 + 1;
}

std::vector<NodeId> ids_of(const std::vector<Listed>& listed) {
  std::vector<NodeId> ids;
  ids.reserve(listed.size());
  for (const Listed& server : listed) {
    ids.push_back(server.id);
  }
  return ids;
}

}  // namespace

void FoundingOutput::clear() {
  persist.reset();
  token.reset();
  send.clear();
  send_after_sync.clear();
}

Founding::Founding(FoundingConfig config, FoundingState recovered, Prng prng)
    : config_(std::move(config)), state_(std::move(recovered)), prng_(prng) {
  ensure(config_.incarnation != Incarnation{}, "a server has an incarnation before it speaks (R-118)");
  ensure(std::ranges::is_sorted(config_.listed, std::ranges::less_equal{}, &Listed::id) || config_.listed.size() < 2,
         "servers are listed in the order of their ids");
  ensure(state_.enrolled.empty() || !state_.cluster, "a member has left its founding behind");
  for (const Listed& server : config_.listed) {
    if (server.id != config_.self) {
      peers_.push_back(Peer{.id = server.id, .heard = std::nullopt});
    }
  }
  is_cluster_durable_ = state_.cluster.has_value();
  if (!state_.enrolled.empty()) {
    is_enrolment_durable_ = true;
    open_decree();
  }
}

void Founding::tick(MonoTime now) {
  ensure(now >= now_, "monotonic time does not go back");
  now_ = now;
  if (!started_) {
    started_ = now_;
    begin_round();
  }
  if (needs_answers()) {
    if (now_ >= round_ends_) {
      begin_round();
    } else if (now_ >= ask_again_) {
      ask();
    }
  }
  obey_order();
  if (can_deliberate()) {
    decree_->tick(now_);
    propose_in_turn();
  }
  pump_decree();
}

void Founding::step(NodeId from, const FoundingMessage& message) {
  if (from == config_.self) {
    is_doubled_ = true;
    return;
  }
  std::visit([&](const auto& content) { on(from, message.sender, content); }, message.content);
  pump_decree();
}

void Founding::persisted(PersistToken token) {
  while (!writes_.empty() && writes_.front().token <= token) {
    const Write write = writes_.front();
    writes_.pop_front();
    is_cluster_durable_ = is_cluster_durable_ || write.has_cluster;
    if (write.enrolments != enrolments_ || state_.enrolled.empty()) {
      continue;  // Of a founding that this server has left.
    }
    if (!std::exchange(is_enrolment_durable_, true)) {
      for (const Seat& seat : state_.enrolled) {
        if (seat.id != config_.self) {
          send(seat.id, answer(0));
        }
      }
    }
    if (decree_ && write.decree_token) {
      decree_->persisted(*write.decree_token);
    }
  }
  if (can_deliberate()) {
    propose_in_turn();
  }
  pump_decree();
}

void Founding::admitted(Cluster cluster) {
  ensure(!state_.cluster || state_.cluster->id == cluster.id, "a server belongs to one cluster in its life (R-805)");
  if (!state_.cluster) {
    form(std::move(cluster));
  }
}

void Founding::take_output(FoundingOutput& into) {
  into.clear();
  if (std::exchange(is_changed_, false)) {
    into.persist = state_;
    into.token = PersistToken{++last_token_};
    writes_.push_back(Write{.token = *into.token,
                            .decree_token = std::exchange(decree_token_, std::nullopt),
                            .enrolments = enrolments_,
                            .has_cluster = state_.cluster.has_value()});
  }
  into.send.swap(outbox_);
  into.send_after_sync.swap(promises_);
  ensure(into.send_after_sync.empty() || into.token.has_value(), "a promise names what it waits for");
}

const Cluster* Founding::cluster() const {
  return is_cluster_durable_ && state_.cluster ? &*state_.cluster : nullptr;
}

void Founding::send(NodeId to, std::variant<Ask, Answer, Deliberation> content) {
  outbox_.push_back(FoundingEnvelope{
      .to = to, .message = FoundingMessage{.sender = config_.incarnation, .content = std::move(content)}});
}

// Rounds of questions -------------------------------------------------------------------------------------------------

// A member looks around once, so that two clusters that meet notice each other.
bool Founding::needs_answers() const {
  return !state_.cluster || std::ranges::any_of(peers_, [](const Peer& peer) { return !peer.heard; });
}

bool Founding::is_answered(const Peer& peer) const {
  return peer.heard && peer.heard->answer.nonce == nonce_;
}

// Every question of a round has its nonce: an answer that repeats it was given after the round began. Whatever was
// under way before counts no more.
void Founding::begin_round() {
  nonce_ = prng_.next_u64() | 1U;
  is_round_closed_ = false;
  round_ends_ = after_us(now_, config_.round_us);
  ask();
  if (peers_.empty()) {
    close_round();
  }
}

void Founding::ask() {
  ask_again_ = after_us(now_, config_.ask_us);
  for (const Peer& peer : peers_) {
    if (!is_answered(peer)) {
      send(peer.id,
           Ask{.nonce = nonce_, .cluster = cluster() != nullptr ? std::optional(state_.cluster->id) : std::nullopt});
    }
  }
}

// Only what is durable is stated.
Answer Founding::answer(std::uint64_t nonce) const {
  Answer answer{.nonce = nonce,
                .listed = ids_of(config_.listed),
                .enrolled = {},
                .cluster = std::nullopt,
                .is_told_to_found = config_.is_told_to_found};
  if (is_enrolment_durable_) {
    answer.enrolled = state_.enrolled;
  }
  if (is_cluster_durable_) {
    answer.cluster = state_.cluster;
  }
  return answer;
}

void Founding::on(NodeId from, Incarnation /*sender*/, const Ask& ask) {
  if (cluster() != nullptr && ask.cluster && *ask.cluster != state_.cluster->id) {
    foreign_[from] = *ask.cluster;
  }
  send(from, answer(ask.nonce));
}

void Founding::on(NodeId from, Incarnation sender, const Answer& answer) {
  note_enrolment(from, sender, answer.enrolled);
  const auto peer = std::ranges::find(peers_, from, &Peer::id);
  if (peer == peers_.end() || answer.nonce == 0 || answer.nonce != nonce_) {
    return;
  }
  const bool is_again = is_answered(*peer);
  if (is_again && peer->heard->incarnation != sender) {
    peer->heard.reset();  // It was wiped during this round, and which of the two lives cannot be told: ask again.
    begin_round();
    return;
  }
  if (is_again && peer->heard->answer.cluster && !answer.cluster) {
    return;  // Older than what is known: membership ends only with the incarnation.
  }
  peer->heard = Heard{.at = now_, .incarnation = sender, .answer = answer};
  foreign_.erase(from);
  adopt_own_cluster();
  if (!is_round_closed_ && std::ranges::all_of(peers_, [this](const Peer& each) { return is_answered(each); })) {
    close_round();
  }
}

// All have answered this round. They enrol on the second round in a row that finds the same servers with the same
// incarnations: every answer of it, "I belong to no cluster" above all, was given when all of these were known to live,
// so after the wipes that lie behind them.
void Founding::close_round() {
  is_round_closed_ = true;
  round_ends_ = after_us(now_, config_.ask_us);
  objection_ = Objection::none;
  const std::vector<NodeId> listed = ids_of(config_.listed);
  const bool is_unanimous =
      std::ranges::all_of(peers_, [&](const Peer& peer) { return peer.heard->answer.listed == listed; });
  if (state_.cluster || is_doubled_ || !is_unanimous || !told().empty()) {
    return;
  }
  Seats seats;
  for (const Listed& server : config_.listed) {
    const auto peer = std::ranges::find(peers_, server.id, &Peer::id);
    const Incarnation incarnation = peer == peers_.end() ? config_.incarnation : peer->heard->incarnation;
    seats.push_back(Seat{.id = server.id, .incarnation = incarnation});
  }
  const Seat own{.id = config_.self, .incarnation = config_.incarnation};
  if (seats == state_.enrolled || !holds(seats, own)) {
    return;
  }
  if (std::exchange(candidate_, seats) != seats) {
    begin_round();
    return;
  }
  objection_ = objection_to(seats);
  if (objection_ == Objection::none) {
    enrol(std::move(seats));
  }
}

std::vector<std::pair<NodeId, ClusterId>> Founding::told() const {
  std::vector<std::pair<NodeId, ClusterId>> told(foreign_.begin(), foreign_.end());
  for (const Peer& peer : peers_) {
    if (peer.heard && peer.heard->answer.cluster) {
      told.emplace_back(peer.id, peer.heard->answer.cluster->id);
    }
  }
  return told;
}

// A founder that missed the decree's end learns of it here. Only fresh answers lead here: see docs/founding.md for why
// a message of the decree itself would not do once this server has enrolled in another founding.
void Founding::adopt_own_cluster() {
  const std::vector<std::pair<NodeId, ClusterId>> known = told();
  if (state_.cluster || known.empty() ||
      std::ranges::any_of(known, [&](const auto& each) { return each.second != known.front().second; })) {
    return;
  }
  for (const Peer& peer : peers_) {
    if (peer.heard && peer.heard->answer.cluster &&
        holds(seats_of(*peer.heard->answer.cluster), Seat{.id = config_.self, .incarnation = config_.incarnation})) {
      form(*peer.heard->answer.cluster);
      return;
    }
  }
}

// The founding --------------------------------------------------------------------------------------------------------

// Whether this server may leave the founding that it enrolled in for that one.
Objection Founding::objection_to(const Seats& seats) const {
  std::size_t lost = 0;
  for (const Seat& seat : state_.enrolled) {
    if (find_seat(seats, seat.id) == nullptr) {
      return Objection::list_shrunk;  // It may have come to an end there, and nobody asked.
    }
    lost += holds(seats, seat) ? 0U : 1U;
  }
  // With a majority its cluster may have served, and all that knew of it would be gone.
  return lost > 0 && lost >= majority(state_.enrolled) ? Objection::majority_lost : Objection::none;
}

// the explicit act speaks for those who do not answer, never for those who do.
Objection Founding::objection_to_order() const {
  if (!state_.enrolled.empty()) {
    return Objection::founding_under_way;
  }
  for (const Peer& peer : peers_) {
    if (peer.heard && !peer.heard->answer.enrolled.empty()) {
      return Objection::founding_under_way;
    }
    if (peer.heard && peer.heard->answer.is_told_to_found) {
      return Objection::several_told_to_found;
    }
  }
  return Objection::none;
}

void Founding::obey_order() {
  order_objection_ = Objection::none;
  const Seat own{.id = config_.self, .incarnation = config_.incarnation};
  if (!config_.is_told_to_found || state_.cluster || is_doubled_ || !told().empty() || state_.enrolled == Seats{own} ||
      now_ < after_us(*started_, config_.found_patience_us)) {
    return;
  }
  order_objection_ = objection_to_order();
  if (order_objection_ == Objection::none) {
    enrol({own});
  }
}

// From here on this server is in this founding and in none that came before: what it promised and accepted there is
// gone, and it takes no more part there.
void Founding::enrol(Seats seats) {
  ensure(!state_.cluster, "a member founds nothing (R-119)");
  ensure(holds(seats, Seat{.id = config_.self, .incarnation = config_.incarnation}), "a founder founds for itself");
  state_.enrolled = std::move(seats);
  state_.decree = Durable{};
  ++enrolments_;
  is_enrolment_durable_ = false;
  enrolled_.clear();
  candidate_.clear();
  promises_.clear();
  is_changed_ = true;
  open_decree();
  begin_round();
}

// "Has enrolled" never becomes untrue: it need not be fresh.
void Founding::note_enrolment(NodeId from, Incarnation sender, const Seats& seats) {
  if (!state_.enrolled.empty() && seats == state_.enrolled && holds(seats, Seat{.id = from, .incarnation = sender}) &&
      std::ranges::find(enrolled_, from) == enrolled_.end()) {
    enrolled_.push_back(from);
    if (can_deliberate()) {
      propose_in_turn();
    }
  }
}

std::vector<NodeId> Founding::missing() const {
  std::vector<NodeId> missing;
  for (const Seat& seat : state_.enrolled) {
    const bool is_in =
        seat.id == config_.self ? is_enrolment_durable_ : std::ranges::find(enrolled_, seat.id) != enrolled_.end();
    if (!is_in) {
      missing.push_back(seat.id);
    }
  }
  return missing;
}

void Founding::form(Cluster cluster) {
  ensure(!state_.cluster, "a server belongs to one cluster in its life (R-805)");
  state_ = FoundingState{.enrolled = {}, .decree = {}, .cluster = std::move(cluster)};
  is_enrolment_durable_ = false;
  decree_.reset();
  decree_token_.reset();
  promises_.clear();
  objection_ = Objection::none;
  order_objection_ = Objection::none;
  is_changed_ = true;
  for (Peer& peer : peers_) {
    peer.heard.reset();
  }
  round_ends_ = now_;
}

// Its decree ----------------------------------------------------------------------------------------------------------

void Founding::open_decree() {
  std::vector<NodeId> voters;
  for (const Seat& seat : state_.enrolled) {
    voters.push_back(seat.id);
  }
  ensure(holds(state_.enrolled, Seat{.id = config_.self, .incarnation = config_.incarnation}),
         "a founding's record belongs to this directory's incarnation");
  decree_.emplace(Config{.self = config_.self, .voters = std::move(voters)}, state_.decree, Prng(prng_.next_u64()));
  decree_->tick(now_);
  decree_token_.reset();
  propose_at_.reset();
}

// Who knows a formed cluster votes in no founding any more.
bool Founding::can_deliberate() const {
  return decree_ && !state_.cluster && told().empty();
}

// The one rule that a majority does not do: nothing is proposed before every founder is known to have enrolled.
void Founding::propose_in_turn() {
  if (!missing().empty()) {
    return;
  }
  const auto place = std::ranges::find(state_.enrolled, config_.self, &Seat::id);
  if (!propose_at_) {
    propose_at_ = after_us(now_, (place - state_.enrolled.begin()) * config_.stagger_us);
  }
  if (now_ < *propose_at_) {
    return;
  }
  Cluster cluster{.id = config_.fresh_cluster_id, .founders = {}};
  for (const Seat& seat : state_.enrolled) {
    const auto listed = std::ranges::find(config_.listed, seat.id, &Listed::id);
    cluster.founders.push_back(
        Founder{.seat = seat, .address = listed == config_.listed.end() ? std::string() : listed->address});
  }
  decree_->propose(encode_cluster(cluster));
}

// Hands on what the decree has to say, and ends it when it has decided.
void Founding::pump_decree() {
  if (!decree_) {
    return;
  }
  if (decree_->has_output()) {
    decree_->take_output(buffer_);
    if (buffer_.persist) {
      state_.decree = *buffer_.persist;
      decree_token_ = buffer_.token;
      is_changed_ = true;
    }
    const auto wrap = [this](const Envelope& envelope, std::vector<FoundingEnvelope>& into) {
      into.push_back(FoundingEnvelope{
          .to = envelope.to,
          .message = FoundingMessage{.sender = config_.incarnation,
                                     .content = Deliberation{.seats = state_.enrolled, .message = envelope.message}}});
    };
    for (const Envelope& envelope : buffer_.send) {
      wrap(envelope, outbox_);
    }
    for (const Envelope& envelope : buffer_.send_after_sync) {
      wrap(envelope, promises_);
    }
  }
  if (decree_->chosen()) {
    Result<Cluster> cluster = decode_cluster(decree_->chosen()->view());
    ensure(cluster.has_value() && seats_of(*cluster) == state_.enrolled, "only sound values were let in");
    form(std::move(*cluster));
  }
}

void Founding::on(NodeId from, Incarnation sender, const Deliberation& deliberation) {
  const bool is_ours = deliberation.seats == state_.enrolled && holds(state_.enrolled, Seat{from, sender});
  if (can_deliberate() && is_ours && is_sound(from, deliberation.message)) {
    decree_->step(from, deliberation.message);
  }
}

// What no founder of this founding says: it is dropped before the decree, which may rely on its peers, sees it (S-301).
bool Founding::is_sound(NodeId from, const Message& message) const {
  const auto is_value = [this](const Blob& value) {
    const Result<Cluster> cluster = decode_cluster(value.view());
    return cluster && seats_of(*cluster) == state_.enrolled;
  };
  if (const auto* prepare = std::get_if<Prepare>(&message)) {
    return prepare->ballot.proposer == from;
  }
  if (const auto* promise = std::get_if<Promise>(&message)) {
    return !promise->accepted || (promise->accepted->ballot < promise->ballot && is_value(promise->accepted->value));
  }
  if (const auto* accept = std::get_if<Accept>(&message)) {
    return accept->proposal.ballot.proposer == from && is_value(accept->proposal.value);
  }
  if (const auto* chosen = std::get_if<Chosen>(&message)) {
    return is_value(chosen->value);
  }
  return true;
}

}  // namespace quorate::paxos
