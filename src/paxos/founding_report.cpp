// What a founding has to say to the operator.

#include <algorithm>

#include "paxos/founding.hpp"

namespace quorate::paxos {
namespace {

std::string text(NodeId id) {
  return std::to_string(raw(id));
}

std::string text(const std::vector<NodeId>& ids) {
  std::string line;
  for (const NodeId id : ids) {
    line += (line.empty() ? "" : ", ") + text(id);
  }
  return line;
}

std::string text(const std::vector<std::pair<NodeId, ClusterId>>& told) {
  std::string line;
  for (const auto& [id, cluster] : told) {
    line += (line.empty() ? "server " : ", server ") + text(id) + " to " + describe(cluster);
  }
  return line;
}

std::string reason(const Report& report) {
  switch (report.objection) {
    case Objection::none:
      return "";
    case Objection::two_clusters:
      return "the listed servers belong to different clusters: " + text(report.told) +
             "; check the server lines, and which of them was founded by mistake";
    case Objection::majority_lost:
      return "this server took part in a founding that may have come to an end, and most of its data directories are "
             "gone; if none of the listed servers held data, empty this server's directory too and start it again";
    case Objection::list_shrunk:
      return "this server took part in a founding with a server that is not listed any more; list it, or empty this "
             "server's directory if that founding came to nothing";
    case Objection::founding_under_way:
      return "--found is refused: a founding with the other listed servers is under way; start all of them";
    case Objection::several_told_to_found:
      return "--found is refused: another listed server was started with it as well; use it on one";
    case Objection::doubled_id:
      return "another server speaks under this server's id: every server needs an id of its own";
  }
  return "";
}

std::string waiting(const Report& report) {
  std::string line;
  if (!report.silent.empty()) {
    line += "no answer from server " + text(report.silent) + "; ";
  }
  for (const Difference& difference : report.differences) {
    line += "server " + text(difference.server) + " lists other servers: ";
    line += difference.only_here.empty() ? "" : "without " + text(difference.only_here) + " ";
    line += difference.only_there.empty() ? "" : "with " + text(difference.only_there) + " ";
    line += "(make the server lines equal); ";
  }
  return line;
}

std::vector<NodeId> without(const std::vector<NodeId>& from, const std::vector<NodeId>& these) {
  std::vector<NodeId> rest;
  std::ranges::copy_if(from, std::back_inserter(rest),
                       [&](NodeId id) { return std::ranges::find(these, id) == these.end(); });
  return rest;
}

}  // namespace

Report Founding::report() const {
  Report report{.standing = Standing::asking,
                .objection = is_doubled_ ? Objection::doubled_id : objection_,
                .cluster = std::nullopt,
                .told = told(),
                .silent = {},
                .differences = {},
                .missing = missing()};
  std::vector<NodeId> listed;
  listed.reserve(config_.listed.size());
  for (const Listed& server : config_.listed) {
    listed.push_back(server.id);
  }
  for (const Peer& peer : peers_) {
    if (!peer.heard || elapsed_us(peer.heard->at, now_) > 2 * config_.round_us) {
      report.silent.push_back(peer.id);
    } else if (peer.heard->answer.listed != listed) {
      report.differences.push_back(Difference{.server = peer.id,
                                              .only_here = without(listed, peer.heard->answer.listed),
                                              .only_there = without(peer.heard->answer.listed, listed)});
    }
  }
  const std::optional<ClusterId> own = cluster() != nullptr ? std::optional(cluster()->id) : std::nullopt;
  const std::optional<ClusterId> known = own || report.told.empty() ? own : std::optional(report.told.front().second);
  if (std::ranges::any_of(report.told, [&](const auto& each) { return each.second != known; })) {
    report.objection = Objection::two_clusters;
  }
  if (report.objection == Objection::none && (state_.enrolled.empty() || !report.missing.empty())) {
    report.objection = order_objection_;
  }
  report.cluster = known;
  if (own) {
    report.standing = Standing::member;
  } else if (report.objection != Objection::none) {
    report.standing = Standing::refused;
  } else if (known) {
    report.standing = Standing::joining;
  } else if (!state_.enrolled.empty()) {
    report.standing = Standing::founding;
  }
  return report;
}

std::string describe(const Report& report) {
  const std::string cluster = report.cluster ? describe(*report.cluster) : "";
  switch (report.standing) {
    case Standing::asking:
      return "founding: " + waiting(report) + "a cluster is founded when all listed servers answer and agree";
    case Standing::founding:
      return "founding: " + waiting(report) +
             (report.missing.empty() ? "all have enrolled, the cluster's id is being chosen"
                                     : "waiting for server " + text(report.missing) + " to enrol");
    case Standing::member:
      return "member of cluster " + cluster + (report.objection == Objection::none ? "" : "; " + reason(report));
    case Standing::joining:
      return "server " + text(report.told.front().first) + " belongs to cluster " + cluster +
             ": this server founds nothing and asks to be admitted";
    case Standing::refused:
      return "founding refused: " + reason(report);
  }
  return "";
}

}  // namespace quorate::paxos
