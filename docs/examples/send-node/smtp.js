// Send a mail by SMTP with the binding's credentials: node smtp.js TO
import nodemailer from "nodemailer";
import { credential } from "./binding.js";

const transport = nodemailer.createTransport({
  host: credential("smtp_server"),
  port: Number(credential("smtp_port")),
  secure: false, // port 587 begins without TLS and switches by STARTTLS
  requireTLS: true,
  auth: { user: credential("smtp_user"), pass: credential("smtp_password") },
});

await transport.sendMail({
  from: `My application <no-reply@${credential("domain")}>`,
  to: process.argv[2],
  subject: "It works",
  text: "Sent by SMTP.",
  headers: { "X-SES-MESSAGE-TAGS": "campaign=welcome" }, // comes back in each event, in data.mail.tags
});
console.log("sent");
