// The words of the console. English is the key; what Chinese lacks is shown in English.

const ZH = {
  "live calls": "实时通话", "calls": "通话记录", "bindings": "绑定关系", "numbers": "号码", "tones": "放音文件", "recordings": "录音",
  "events": "事件台账", "messages": "短信", "statistics": "统计", "enterprises": "企业", "applications": "应用", "contacts": "联系人",
  "trunks": "中继", "audit log": "审计日志", "explain": "呼叫推演", "watch": "监控", "manage": "管理", "operate": "运维", "orders": "号码订单",
  "lists": "黑白名单", "phones": "话机", "bans": "封禁",
  "sign in": "登录", "sign out": "退出", "token": "令牌", "show real numbers": "显示真实号码", "mask numbers": "隐藏真实号码",
  "dark": "深色", "light": "浅色", "search": "查询", "more": "更多", "close": "关闭", "yes": "是", "no": "否", "actions": "操作",
  "nothing here": "暂无数据", "hang up": "挂断", "open": "打开", "add": "新增", "end": "结束", "bind": "绑定", "caller": "主叫", "callee": "被叫",
  "state": "状态", "mode": "模式", "application": "应用", "started": "开始", "answered": "接通", "ended": "结束时间", "duration": "时长",
  "cause": "原因", "trunk": "中继", "session": "会话", "number": "号码", "since": "起", "before": "止", "result": "结果", "talking": "通话中",
  "ringing": "振铃", "resolving": "查询中", "opening": "接续中", "collecting": "收号中", "refusing": "放音拒绝", "closing": "释放中", "asking": "询问中",
  "recorded": "录音", "recording": "录音", "direction": "方向", "created": "创建时间", "expires": "到期", "extension": "分机", "minutes": "分钟",
  "area code": "区号", "province": "省份", "status": "状态", "name": "名称", "upload": "上传", "hear": "试听", "approve": "通过", "reject": "驳回",
  "reason": "原因", "remove": "删除", "replay": "重推", "tries": "次数", "kind": "类型", "due": "下次", "attempts": "推送记录", "download": "下载",
  "role": "角色", "action": "操作", "subject": "对象", "who": "操作人", "detail": "详情", "time": "时间", "peers": "对端", "registration": "注册",
  "calls in": "呼入", "calls out": "呼出", "suspend": "暂停", "resume": "恢复", "edit": "修改", "save": "保存", "file": "文件", "size": "大小",
  "why": "判定", "when": "时间", "dry run": "推演", "sender": "发送方", "receiver": "接收方", "parts": "条数", "first day": "首日", "last day": "末日",
  "talk minutes": "通话分钟", "answer rate": "接通率", "quality": "质量", "signalling": "信令", "audio": "音频", "loss": "丢包", "round trip": "往返时延", "jitter": "抖动",
  "timeline": "时间线", "export": "导出", "play": "播放", "done": "完成", "dead": "失败", "waiting": "等待", "normal": "正常", "suspended": "暂停",
  "unavailable": "不可用", "frozen": "冻结", "approved": "已通过", "rejected": "已驳回", "review": "审核中", "secret": "密钥", "address": "地址",
  "no answer from the node": "节点无应答", "standing calls": "当前通话", "ringing now": "振铃中", "talking now": "通话中", "today": "今日",
  "The session is over: sign in again.": "会话已结束，请重新登录。", "from": "从", "to": "到", "party": "角色", "source": "来源", "until": "至", "lift": "解除",
  "download csv": "下载 CSV", "black": "黑名单", "white": "白名单", "secrets are shown once": "密钥只显示一次", "phone": "软电话", "password": "密码",
  "waiting tone": "等待音", "ring-back": "回铃音", "prompt": "提示音", "refusal": "拒绝提示音", "notice": "录音通知音", "last minute": "末分钟提示音", "tone": "放音",
  "caller hears": "主叫听到", "callee hears": "被叫听到",
  "phone number": "电话", "told of": "通知内容", "most applications": "应用数上限", "enabled": "启用", "new secret": "新密钥", "Who is told by e-mail, and of what": "通过邮件通知谁、通知什么",
  "binding": "绑定", "rule": "规则", "outcome": "结论", "enterprise": "企业", "barred": "受限", "longest": "最长时长",
  "proof": "存证", "held": "法律保留", "hold": "保留", "release": "解除保留", "erase": "删除录音", "erased on": "到期删除", "day": "日期", "hash": "哈希",
  "traces": "信令跟踪", "trace": "跟踪", "ladder": "信令图", "gateway": "网关", "value": "值", "node": "节点", "next": "后续呼叫", "traced now": "正在跟踪", "traced calls": "已跟踪的呼叫",
  "look again": "刷新", "undelivered events": "推送失败的事件", "ready": "可用", "rendered": "待上传", "pending": "待处理", "spooling": "录制中", "empty": "无内容", "erased": "已删除", "failed": "失败",
  "released": "已解除", "e-mail": "邮箱", "X": "X",
  "next: so many calls of each node; number: a party's or an X; call: a session that stands": "后续呼叫：每个节点跟踪若干个呼叫；号码：一方号码或 X 号码；会话：正在进行的会话",
  "SIP server": "SIP 服务器", "connect": "连接", "disconnect": "断开", "connecting": "连接中", "disconnected": "已断开", "refused": "被拒绝",
  "registered": "已注册", "call": "拨打", "answer": "接听", "offered": "来电", "calling": "呼叫中", "keys": "按键", "new phone": "新建话机",
  "headset (no echo cancelling)": "耳机（关闭回声消除）", "The node listens on no WebSocket: sip.listen": "节点未监听 WebSocket：sip.listen",
  "registered at": "注册位置", "realm": "域", "new password": "新密码", "what to type in": "填写内容", "transport and port": "传输方式和端口", "user": "用户名",
  "Softphones and browsers that register here as a number, and so are A or B": "以某个号码在此注册的软电话和浏览器，可作为 A 或 B",
  "through X": "通过 X", "the other's number": "对方号码", "bind and call": "绑定并呼叫", "There is no X to be bound": "没有可绑定的 X 号码",
  "The node listens on no wss: sip.listen": "节点未监听 wss：sip.listen", "The call ended as the page was loaded anew": "页面重新加载，通话已结束",
  "A token is made at the terminal: maskline token create --config FILE \"me\"": "在终端生成令牌：maskline token create --config FILE \"me\"",
};

const kept = localStorage.getItem("maskline.language");
export let language = kept || (navigator.language.startsWith("zh") ? "zh" : "en");
document.documentElement.lang = language;

export const word = (text) => (language === "zh" && ZH[text]) || text;
export function setLanguage(wanted) {
  language = wanted;
  localStorage.setItem("maskline.language", wanted);
  document.documentElement.lang = wanted;
}
export const known = ZH;
